"""Tables and aligned pairs that fit the terminal, whatever text they contain."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import click

from queuectl.cli.screens.terminal import style, terminal_width
from queuectl.text import LINE_BREAK, LINE_BREAK_PLAIN, columns, one_line, pad, printable

NARROWEST = 6
"""The minimum width of a cell."""

COLOURS = {
    "pending": "cyan",
    "processing": "blue",
    "completed": "green",
    "failed": "yellow",
    "dead": "red",
    "cancelled": "magenta",
}


class Table:
    """Columns as wide as the contents of the first rows, if the terminal has the space.

    Otherwise drop the columns named in ``spare``, in that order. Then cut the widest until all fit; cut those of
    ``whole`` only once the others are as narrow as possible. Cells may hold hostile text; it is cleaned here.
    """

    def __init__(
        self,
        headings: Sequence[str],
        *,
        spare: Sequence[str] = (),
        whole: Sequence[str] = (),
        samples: Sequence[str] = (),
    ) -> None:
        """``samples``: cells, at most one a column, for which there must be space from the start."""
        self._headings = headings
        self._samples = [*samples, *[""] * (len(headings) - len(samples))]
        self._spare = spare
        self._whole = whole
        self._mark = _line_break()
        self._kept: list[int] = []
        self._widths: list[int] = []

    def print(self, rows: Iterable[Sequence[str]]) -> None:
        """Print rows, below the headings the first time. Later rows get the same columns."""
        lines = [[one_line(cell, line_break=self._mark) for cell in row] for row in rows]
        if not self._widths:
            self._fit(lines)
            click.echo(style(self._line(self._headings), None, bold=True))
        for line in lines:
            click.echo(self._line(line))

    def _fit(self, lines: list[list[str]]) -> None:
        headings, room = self._headings, terminal_width()
        every = [headings, self._samples, *lines]
        widths = [max(columns(line[at]) for line in every) for at in range(len(headings))]
        kept = list(range(len(headings)))

        def total() -> int:
            return sum(widths[at] + 2 for at in kept) - 2

        for name in self._spare:
            # Showing 20 characters of a command is worth dropping a less important column.
            if total() - max(0, widths[kept[-1]] - 20) > room:
                kept.remove(headings.index(name))
        widths = [min(width, max(room, NARROWEST)) for width in widths]
        for cut in ([at for at in kept if headings[at] not in self._whole], kept):
            while total() > room and max(widths[at] for at in cut) > NARROWEST:
                widths[max(cut, key=lambda at: widths[at])] -= 1
        # What follows may be longer in the last column.
        widths[kept[-1]] += max(0, room - total())
        self._kept, self._widths = kept, widths

    def _line(self, cells: Sequence[str]) -> str:
        fitted = []
        for at in self._kept:
            text = one_line(cells[at], self._widths[at])
            fitted.append(style(pad(text, self._widths[at] if at != self._kept[-1] else 0), COLOURS.get(text)))
        return "  ".join(fitted)


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    spare: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Print a whole `Table`."""
    Table(headings, spare=spare, whole=whole).print(rows)


def pairs(values: Mapping[str, str]) -> None:
    """Print names and values, aligned; long values wrap, and a command keeps its own lines."""
    indent = max(map(len, values)) + 2
    room = max(16, terminal_width() - indent)
    for name, value in values.items():
        lines = [part for line in value.split("\n") for part in _wrapped(printable(line), room)]
        click.echo(f"{style(name.ljust(indent), None, bold=True)}{style(lines[0], COLOURS.get(lines[0]))}")
        for line in lines[1:]:
            click.echo(" " * indent + line)


def state_text(name: str, width: int = 0) -> str:
    """Return a state's name in its colour."""
    return style(name.ljust(width), COLOURS.get(name))


def _line_break() -> str:
    try:
        LINE_BREAK.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return LINE_BREAK_PLAIN
    return LINE_BREAK


def _wrapped(text: str, width: int) -> list[str]:
    if columns(text) <= width:
        return [text]
    return textwrap.wrap(text, width, drop_whitespace=False, break_on_hyphens=False) or [""]
