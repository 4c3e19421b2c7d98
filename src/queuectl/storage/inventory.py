"""Lists everything in a namespace, only for `fsck`: no other code walks the whole server."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.scripts import CHUNK
from queuectl.storage.shapes import digits, many, repeated, row, score, text, texts

STEP = 1000
"""Ids per read of a list."""


class Inventory:
    """Walks in small steps, so that the server serves others in between.

    The walk finds everything that exists throughout, whatever others add and remove. It may or may not find what
    comes or goes in the meantime.
    """

    def __init__(self, storage: RedisStorage) -> None:
        self._storage = storage

    def all_ids(self) -> Iterator[str]:
        """Yield every id for which the server has anything: hashes, indexes, look-up. Ids may repeat."""
        prefix = f"{self._storage.keys.namespace}:jobs:"
        for key in self._scan(f"{prefix}*"):
            yield key.removeprefix(prefix)
        for state in JobState:
            yield from self.index_items(state)
        for key in self._scan(f"{self._storage.keys.namespace}:ids:*"):
            yield from (item.decode("utf-8", "replace") for item in self._storage.ask(texts, "SMEMBERS", key))

    def index_items(self, state: JobState) -> Iterator[str]:
        """Return the ids in a state's index."""
        cursor = b"0"
        while True:
            cursor, found = self._storage.ask(
                row(digits, repeated(text, score)),
                "ZSCAN",
                self._storage.keys.index(state.value),
                cursor,
                "COUNT",
                CHUNK,
            )
            yield from (item.decode("utf-8", "replace") for item in found[::2])
            if cursor == b"0":
                return

    def queued(self) -> Iterator[str]:
        """Yield the ids in the list ``jobs``; ids may repeat.

        New ids enter at the left and claims take them at the right, so the walk goes from left to right: an unread
        id only ever moves away from the left.
        """
        at, items = 0, [""] * STEP
        while len(items) == STEP:  # a shorter read has reached the end, even if the list is growing
            items = self._range("jobs", at)
            yield from items
            at += len(items)

    def dead_letters(self) -> Iterator[str]:
        """Yield the ids in the list ``dead_letter``; ids may repeat.

        When ids leave near the left end, the others move towards it, so each read continues after the last id of
        the previous read, wherever that is now. `prune` moves ids from the right end to the left. A second walk, up
        to where the first began, finds those that slipped past the first.
        """
        first = ""
        for item in self._steady_walk("dead_letter"):
            first = first or item
            yield item
        for item in self._steady_walk("dead_letter"):
            yield item
            if item == first:
                return

    def _steady_walk(self, name: str) -> Iterator[str]:
        at, last = 0, ""
        while True:
            items = self._range(name, at)
            known = last in items
            if at and not known:
                at = max(0, at - STEP)
                continue
            yield from items[items.index(last) + 1 if known else 0 :]
            if len(items) < STEP:
                return
            at, last = at + len(items) - 1, items[-1]

    def _scan(self, pattern: str) -> Iterator[str]:
        cursor = b"0"
        while True:
            cursor, found = self._storage.ask(row(digits, texts), "SCAN", cursor, "MATCH", pattern, "COUNT", CHUNK)
            yield from (key.decode("utf-8", "replace") for key in found)
            if cursor == b"0":
                return

    def _range(self, name: str, start: int) -> list[str]:
        items = self._storage.ask(
            many(text, most=STEP), "LRANGE", f"{self._storage.keys.namespace}:{name}", start, start + STEP - 1
        )
        return [item.decode("utf-8", "replace") for item in items]
