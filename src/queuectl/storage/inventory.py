"""Everything that a namespace holds, for `fsck` alone: the one place that walks the whole server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.scripts import CHUNK, Command


class Inventory:
    """Walks in steps that the server does not feel. What changes meanwhile is met or not."""

    def __init__(self, storage: RedisStorage) -> None:
        self._storage = storage

    def all_ids(self) -> Iterator[str]:
        """Every id for which the server has anything: hashes, indexes, look-up. The same one may come again."""
        prefix = f"{self._storage.keys.namespace}:jobs:"
        for key in self._scan(f"{prefix}*"):
            yield key.removeprefix(prefix)
        for state in JobState:
            yield from self.index_items(state)
        for key in self._scan(f"{self._storage.keys.namespace}:ids:*"):
            yield from (item.decode("utf-8", "replace") for item in self._one(("SMEMBERS", key)))

    def index_items(self, state: JobState) -> Iterator[str]:
        """The ids in a state's index."""
        cursor = b"0"
        while True:
            cursor, found = self._one(("ZSCAN", self._storage.keys.index(state.value), cursor, "COUNT", CHUNK))
            yield from (item.decode("utf-8", "replace") for item in found[::2])
            if cursor == b"0":
                return

    def list_items(self, name: str) -> Iterator[str]:
        """The ids in the list ``jobs`` or ``dead_letter``, from its end, where what comes in does not move them."""
        key, at = f"{self._storage.keys.namespace}:{name}", -1
        while items := self._one(("LRANGE", key, at - 999, at)):
            yield from (item.decode("utf-8", "replace") for item in items)
            at -= len(items)

    def _scan(self, pattern: str) -> Iterator[str]:
        cursor = b"0"
        while True:
            cursor, found = self._one(("SCAN", cursor, "MATCH", pattern, "COUNT", CHUNK))
            yield from (key.decode("utf-8", "replace") for key in found)
            if cursor == b"0":
                return

    def _one(self, command: Command) -> Any:
        return self._storage.exchange([command])[0]
