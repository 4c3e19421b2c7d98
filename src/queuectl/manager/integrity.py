"""Checks that the records on the server fit together, and repairs what can be repaired.

It works on a live queue, in small scripts that each check and repair at once. A record that changes meanwhile is
checked or not; what is reported is true at the moment of its check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls import integrity as calls
from queuectl.storage.inventory import Inventory
from queuectl.storage.reads import server_time
from queuectl.storage.scripts import CHUNK


class Problem(NamedTuple):
    """What does not fit about one job. ``repairable``: whether `check` can repair it."""

    job_id: str
    problem: str
    repairable: bool


def check(storage: RedisStorage, *, repair: bool) -> Iterator[Problem]:
    """Check everything, and repair what can be if ``repair``; yields each problem as it is found."""
    inventory = Inventory(storage)
    seen: set[str] = set()
    for ids in _chunks(_fresh(inventory.all_ids(), seen)):
        yield from (Problem(*found) for found in storage.run(calls.fsck_jobs(ids, repair=repair)))
    lists = {JobState.PENDING: ("jobs", inventory.queued), JobState.DEAD: ("dead_letter", inventory.dead_letters)}
    for state, (name, ids_in_list) in lists.items():
        before = server_time(storage)  # a job that enters the state later may have come to a place already read
        hinted = set(ids_in_list())
        for ids in _chunks(job_id for job_id in inventory.index_items(state) if job_id not in hinted):
            for job_id in storage.run(calls.fsck_hints(state, ids, before, repair=repair)):
                yield Problem(job_id, f"is {state.value}, but not in the list {name}", True)


def _fresh(ids: Iterable[str], seen: set[str]) -> Iterator[str]:
    for job_id in ids:
        if job_id not in seen:
            seen.add(job_id)
            yield job_id


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for job_id in ids:
        chunk.append(job_id)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
