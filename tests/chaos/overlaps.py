"""Two attempts of one job at the same time: where, for how long, and why."""

from __future__ import annotations

from typing import NamedTuple

from .history import Attempt, Fault, History
from .nemesis import FREEZES, KILLS

WINDOW_SECONDS = 2.0
"""A killed worker's processes may live so long beside the next attempt; a thawed one has so long to end its own."""


class Overlap(NamedTuple):
    """``seconds`` for which both were seen alive.

    ``why``: "frozen", "killed", "forgotten claim" (a replica took over), or "" if nothing explains it.
    """

    job_id: str
    earlier: Attempt
    later: Attempt
    seconds: float
    why: str
    allowed_seconds: float

    @property
    def is_violation(self) -> bool:
        return self.seconds > self.allowed_seconds


def overlaps(history: History) -> list[Overlap]:
    """Return all overlaps. An attempt lives from its first note to its last; long ones write ten notes a second."""
    found = []
    for job_id, attempts in history.by_job().items():
        for place, later in enumerate(attempts):
            for earlier in attempts[:place]:
                seconds = min(earlier.last, later.last) - max(earlier.started, later.started)
                if earlier.last > later.started and seconds >= 0:
                    why, allowed = _explanation(history, earlier, later)
                    found.append(Overlap(job_id, earlier, later, seconds, why, allowed))
    return found


def _explanation(history: History, earlier: Attempt, later: Attempt) -> tuple[str, float]:
    hit = [fault for fault in history.faults if earlier.runner in fault.pids]
    frozen = [fault for fault in hit if fault.name in FREEZES and _froze(fault, history, earlier, later)]
    if frozen:
        thawed = max(fault.until for fault in frozen)
        return "frozen", max(0.0, thawed - later.started) + WINDOW_SECONDS
    if any(fault.name in KILLS and fault.at <= later.started for fault in hit):
        return "killed", WINDOW_SECONDS
    if any(
        f.name == "promote_replica" and earlier.started <= f.until and f.at <= later.last for f in history.faults
    ):
        return "forgotten claim", float("inf")
    return "", -1.0


def _froze(fault: Fault, history: History, earlier: Attempt, later: Attempt) -> bool:
    """Whether it lasted long enough before ``later`` for a lease to end that had at least two thirds left."""
    shortest = history.lease_seconds * 0.6
    return fault.until - fault.at >= shortest and fault.at + shortest <= later.started and fault.at <= earlier.last
