"""Counts the outcomes of a runner's jobs, for its pool."""

from __future__ import annotations

import mmap
from collections.abc import Iterable

from queuectl.model.outcome import CANCELLED, COMPLETED, DEAD

COUNTED = (COMPLETED, DEAD, CANCELLED)
"""The verdicts that finish a job."""

_PLACES = {verdict: place for place, verdict in enumerate(COUNTED)}


class Tally:
    """One runner's counts. The runner writes them; its pool reads them after the runner exits or is killed.

    The memory is shared with processes forked later, and freed with the last of them.
    """

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def count(self, verdict: str) -> None:
        """Count an attempt that ended with this verdict."""
        place = _PLACES.get(verdict)
        if place is not None:
            self._counts[place] += 1

    def totals(self) -> list[int]:
        """Return one number for each of `COUNTED`."""
        return self._counts[: len(COUNTED)].tolist()


def in_words(totals: Iterable[int], seconds: float) -> str:
    """Summarize all jobs: ``300 jobs completed, 2 dead, in 1.5 s``."""
    counts = dict(zip(COUNTED, totals, strict=True))
    jobs = "job" if counts[COMPLETED] == 1 else "jobs"
    others = [f"{count} {verdict}" for verdict, count in counts.items() if count and verdict != COMPLETED]
    return ", ".join([f"{counts[COMPLETED]} {jobs} completed", *others, f"in {seconds:.1f} s"])
