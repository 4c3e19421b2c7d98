"""Figures: what a measure gives back, and how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from benchmarks.targets import TARGETS

NAME_WIDTH = 54
UNIT_WIDTH = 14


class Figure(NamedTuple):
    """One measured quantity: its value, the range of what was seen, and the key of its target if it has one."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    samples: int
    target: str = ""

    @classmethod
    def median(cls, name: str, values: Sequence[float], unit: str, target: str = "") -> Figure:
        """The median, the lowest and the highest of all rounds."""
        return cls(name, statistics.median(values), min(values), max(values), unit, len(values), target)

    @classmethod
    def percentile(cls, name: str, values: Sequence[float], percent: int, unit: str, target: str = "") -> Figure:
        """The smallest value that so many percent of all values don't exceed."""
        rank = max(0, -(-len(values) * percent // 100) - 1)
        return cls(name, sorted(values)[rank], min(values), max(values), unit, len(values), target)

    def verdict(self) -> str:
        """The target and whether it is met; "" without one."""
        return TARGETS[self.target].verdict(self.value) if self.target else ""

    def line(self, verdict: str = "") -> str:
        """As a line of a table for people."""
        low, high = self._range()
        numbers = f"{short(self.value):>10}{low:>10}{high:>10}"
        return f"  {self.name:<{NAME_WIDTH}}{numbers}  {self.unit:<{UNIT_WIDTH}}  {verdict}".rstrip()

    def row(self, verdict: str = "") -> str:
        """As a row of a Markdown table."""
        low, high = self._range()
        return f"| {self.name} | {short(self.value)} {self.unit} | {low} | {high} | {verdict} |"

    def as_json(self) -> dict[str, Any]:
        """As an object for programs: `target` is null, or the bound and whether it is met."""
        fields = self._asdict()
        if not self.target:
            return fields | {"target": None}
        target = TARGETS[self.target]
        return fields | {"target": {"key": self.target, **target._asdict(), "met": target.met(self.value)}}

    def _range(self) -> tuple[str, str]:
        return ("", "") if self.samples == 1 else (short(self.low), short(self.high))


HEADING = f"  {'':<{NAME_WIDTH}}{'median':>10}{'lowest':>10}{'highest':>10}"
MARKDOWN_HEADING = "\n| | median | lowest | highest | target |\n|---|---|---|---|---|"


def ratios(ours: Iterable[float], theirs: Iterable[float]) -> list[float]:
    """Ratios round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def short(value: float) -> str:
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
