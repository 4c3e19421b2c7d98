"""Whether what the server holds fits together: every inconsistency that can be told from it, and its mending.

All of it works on a live queue, in small scripts that each look and mend at once. A scan takes in what changes
meanwhile or not; either way nothing is reported that is not so at the moment at which it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.inventory import Inventory
from queuectl.storage.scripts import CHUNK


class Problem(NamedTuple):
    """Something that does not fit, about one job. ``mendable``: whether `repair` mends it."""

    job_id: str
    problem: str
    mendable: bool


def check(storage: RedisStorage, *, repair: bool) -> Iterator[Problem]:
    """Look at everything, and mend what can be if ``repair``; yields each problem as it is found."""
    inventory = Inventory(storage)
    seen: set[str] = set()
    for ids in _chunks(_fresh(inventory.all_ids(), seen)):
        yield from (Problem(*found) for found in storage.fsck_jobs(ids, repair=repair))
    for state, name in ((JobState.PENDING, "jobs"), (JobState.DEAD, "dead_letter")):
        before = storage.time()
        hinted = set(inventory.list_items(name))
        for ids in _chunks(job_id for job_id in inventory.index_items(state) if job_id not in hinted):
            for job_id in storage.fsck_hints(state, ids, before, repair=repair):
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
