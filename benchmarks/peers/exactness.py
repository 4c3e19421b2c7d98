"""Did each job run exactly once? The file in which every job has left its number tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Tally(NamedTuple):
    """How many of a run's jobs left no line, and how many lines there are too many."""

    lost: int = 0
    doubled: int = 0

    @classmethod
    def of(cls, file: Path, jobs: int) -> Tally:
        """Of the numbers 0 to ``jobs`` - 1; raises `ValueError` for a line that no job has written."""
        text = file.read_text() if file.exists() else ""
        runs = Counter(map(int, text.split()))
        if strangers := sorted(runs.keys() - set(range(jobs))):
            raise ValueError(f"{file} holds {strangers[0]}, which is no job of this run")
        return cls(jobs - len(runs), runs.total() - len(runs))

    def words(self) -> str:
        """`yes`, or what is wrong."""
        return ", ".join(f"{number} {what}" for what, number in self._asdict().items() if number) or "yes"


def sum_of(tallies: Iterable[Tally]) -> Tally:
    """Of several runs together."""
    every = list(tallies)
    return Tally(sum(one.lost for one in every), sum(one.doubled for one in every))
