"""Line charts as SVG: series over one horizontal axis, for a light page and for a dark one.

Colours follow the reader's colour scheme, and each series has a marker of its own shape, so that colour is never
all that tells them apart. A thin line through a marker is the range of what was seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 780, 470
LEFT, RIGHT, TOP, BOTTOM = 70, 210, 72, 80
MARGIN_LINES = 18

# Okabe and Ito's palette, whose colours differ for colour-blind eyes too; a lighter set for dark pages.
_LIGHT = ("#0072b2", "#d55e00", "#009e73", "#a6488a", "#8a6d00", "#4d4d4d")
_DARK = ("#56b4e9", "#ff9350", "#2fd6a7", "#e08fc5", "#e6c84b", "#c8c8c8")

_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .page { fill: #ffffff } .title { font-size: 16px; font-weight: 600 } .tick { font-size: 12px; fill: #57606a }
  .grid { stroke: #d8dee4 } .axis { stroke: #57606a } .line { fill: none; stroke-width: 2 }
  .range { stroke-width: 1; opacity: 0.6 }
"""
_STYLE_DARK = """
    text { fill: #e6edf3 } .page { fill: #0d1117 } .tick { fill: #9198a1 }
    .grid { stroke: #30363d } .axis { stroke: #9198a1 }
"""


class Point(NamedTuple):
    """A value at ``x``, and the range of what was seen."""

    x: float
    y: float
    low: float
    high: float


class Series(NamedTuple):
    """One line."""

    name: str
    points: list[Point]


class Axis(NamedTuple):
    """A scale: its label, its ends, and the places of its marks. Logarithmic, or linear."""

    label: str
    start: float
    end: float
    ticks: list[float]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value is, from 0 at the start to 1 at the end."""
        if self.logarithmic:
            return math.log(value / self.start) / math.log(self.end / self.start)
        return (value - self.start) / (self.end - self.start)


def linear_axis(label: str, values: Sequence[float]) -> Axis:
    """From 0 to a round number that no value exceeds, in four to ten steps."""
    most = max(values)
    step = 10.0 ** math.floor(math.log10(most))
    for divisor in (1, 2, 5):
        if most / (step / divisor) >= 4:
            step /= divisor
            break
    count = math.ceil(most / step)
    return Axis(label, 0, count * step, [number * step for number in range(count + 1)])


def logarithmic_axis(label: str, values: Sequence[float], base: int = 10) -> Axis:
    """From a power of ``base`` to another, with a mark at each power between."""
    first = math.floor(math.log(min(values), base) + 1e-9)
    last = max(first + 1, math.ceil(math.log(max(values), base) - 1e-9))
    ticks = [float(base) ** power for power in range(first, last + 1)]
    return Axis(label, ticks[0], ticks[-1], ticks, logarithmic=True)


def chart(title: str, x: Axis, y: Axis, series: Sequence[Series], note: str = "") -> str:
    """The whole file."""
    body = [
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text class="title" x="{LEFT}" y="28">{escape(title)}</text>',
        *_frame(x, y),
    ]
    for number, each in enumerate(series):
        body += _drawn(each, number, x, y)
    body += _legend(series, y)
    if note:
        body.append(f'<text class="tick" x="{LEFT}" y="{HEIGHT - 14}">{escape(note)}</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}{_colours(_LIGHT)}  @media (prefers-color-scheme: dark) {{",
            f"{_STYLE_DARK}{_colours(_DARK)}  }}\n</style>",
            *body,
            "</svg>\n",
        ]
    )


def _colours(palette: Sequence[str]) -> str:
    lines = [f"  .s{n} {{ stroke: {c} }} .f{n} {{ fill: {c} }}" for n, c in enumerate(palette)]
    return "\n".join(lines) + "\n"


def _across(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _up(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def _frame(x: Axis, y: Axis) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in y.ticks:
        at = _up(y, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{tick:,.15g}</text>')
    for tick in x.ticks:
        at = _across(x, tick)
        parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:,.15g}</text>')
    return [
        *parts,
        f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>',
        f'<text x="{(LEFT + right) / 2:.1f}" y="{bottom + 36}" text-anchor="middle">{escape(x.label)}</text>',
        f'<text x="{LEFT}" y="{TOP - 14}">{escape(y.label)}</text>',
    ]


def _drawn(series: Series, number: int, x: Axis, y: Axis) -> list[str]:
    places = [(_across(x, point.x), _up(y, point.y)) for point in series.points]
    line = " ".join(f"{across:.1f},{up:.1f}" for across, up in places)
    parts = [f'<polyline class="line s{number}" points="{line}"/>']
    for point, (across, up) in zip(series.points, places, strict=True):
        low, high = _up(y, point.low), _up(y, point.high)
        parts.append(
            f'<line class="range s{number}" x1="{across:.1f}" x2="{across:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        )
        parts.append(_marker(number, across, up))
    return parts


def _marker(number: int, x: float, y: float) -> str:
    kind = f'class="f{number}"'
    shapes = (
        f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        f'<rect {kind} x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>',
        f'<path {kind} d="M{x:.1f} {y - 5:.1f}l5 9h-10z"/>',
        f'<path {kind} d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"/>',
        f'<path {kind} d="M{x:.1f} {y + 5:.1f}l5 -9h-10z"/>',
        f'<rect {kind} x="{x - 5:.1f}" y="{y - 2:.1f}" width="10" height="4"/>',
    )
    return shapes[number]


def _legend(series: Sequence[Series], y: Axis) -> list[str]:
    """Each name beside the end of its line, moved apart where they would overlap."""
    ends = sorted((_up(y, each.points[-1].y), number) for number, each in enumerate(series))
    parts = []
    free = float(TOP)
    for place, (wanted, number) in enumerate(ends):
        below = (len(ends) - place - 1) * MARGIN_LINES
        at = min(max(wanted, free), HEIGHT - BOTTOM - below)
        free = at + MARGIN_LINES
        parts.append(_marker(number, WIDTH - RIGHT + 18, at))
        parts.append(f'<text x="{WIDTH - RIGHT + 30}" y="{at + 4:.1f}">{escape(series[number].name)}</text>')
    return parts
