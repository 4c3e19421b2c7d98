"""Figures: what a measure gives back, and how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

NAME_WIDTH = 54


class Figure(NamedTuple):
    """One measured quantity: its value and the range of what was seen."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    samples: int

    @classmethod
    def median(cls, name: str, values: Sequence[float], unit: str) -> Figure:
        """The median, the lowest and the highest of all rounds."""
        return cls(name, statistics.median(values), min(values), max(values), unit, len(values))

    @classmethod
    def percentile(cls, name: str, values: Sequence[float], percent: int, unit: str) -> Figure:
        """The smallest value that so many percent of all values don't exceed."""
        rank = max(0, -(-len(values) * percent // 100) - 1)
        return cls(name, sorted(values)[rank], min(values), max(values), unit, len(values))

    def line(self) -> str:
        """As a line of a table."""
        low, high = ("", "") if self.samples == 1 else (short(self.low), short(self.high))
        return f"  {self.name:<{NAME_WIDTH}}{short(self.value):>10}{low:>10}{high:>10}  {self.unit}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """As an object for programs."""
        return self._asdict()


def ratios(ours: Iterable[float], theirs: Iterable[float]) -> list[float]:
    """Ratios round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


HEADING = f"  {'':<{NAME_WIDTH}}{'median':>10}{'lowest':>10}{'highest':>10}"


def short(value: float) -> str:
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
