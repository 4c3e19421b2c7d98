"""Counts how the jobs of a runner ended, for its pool."""

from __future__ import annotations

import mmap
from collections.abc import Iterable

from queuectl.model.outcome import CANCELLED, COMPLETED, DEAD

COUNTED = (COMPLETED, DEAD, CANCELLED)
"""The verdicts after which nothing more is done with a job."""

_PLACES = {verdict: place for place, verdict in enumerate(COUNTED)}


class Tally:
    """One runner's counts. It writes them, and its pool reads them once it has ended, however that came about.

    The memory is shared with the processes that are forked later, and gone with the last of them.
    """

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def count(self, verdict: str) -> None:
        """An attempt ended so."""
        place = _PLACES.get(verdict)
        if place is not None:
            self._counts[place] += 1

    def totals(self) -> list[int]:
        """One number for each of `COUNTED`."""
        return self._counts[: len(COUNTED)].tolist()


def in_words(totals: Iterable[int], seconds: float) -> str:
    """``300 jobs completed, 2 dead, in 1.5 s``: what came of all jobs."""
    counts = dict(zip(COUNTED, totals, strict=True))
    jobs = "job" if counts[COMPLETED] == 1 else "jobs"
    others = [f"{count} {verdict}" for verdict, count in counts.items() if count and verdict != COMPLETED]
    return ", ".join([f"{counts[COMPLETED]} {jobs} completed", *others, f"in {seconds:.1f} s"])
