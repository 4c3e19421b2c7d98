"""What the demonstration shows: plain lines, and one line of progress that is rewritten in place."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Mapping

WIDTH = 80
BAR = 12
PLAIN_PAUSE_SECONDS = 1.0

FINAL = ("completed", "dead", "cancelled")


def say(text: str = "", indent: int = 3) -> None:
    """Print text, wrapped to 80 columns."""
    space = " " * indent
    lines = textwrap.wrap(text, WIDTH, initial_indent=space, subsequent_indent=space, break_long_words=False)
    _write("\n".join(lines) + "\n")


def heading(text: str) -> None:
    """Begin a part."""
    say()
    say(text, indent=0)


def verdict(passed: bool, text: str) -> None:
    """Print the result of one check."""
    lines = textwrap.wrap(text, WIDTH - 10) or [""]
    _write(f"   {'ok    ' if passed else 'FAILED'} {lines[0]}\n")
    for line in lines[1:]:
        _write(f"          {line}\n")


def verbatim(text: str) -> None:
    """Print what a command printed."""
    _write("".join(f"   {line}".rstrip() + "\n" for line in text.rstrip().splitlines()))


def is_final(state: str) -> bool:
    """Whether a job in this state is done with."""
    return state in FINAL


class Progress:
    """Counts of jobs while they run. On a terminal one line that changes, elsewhere a line a second."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._begun = time.monotonic()
        self._plain_at = self._begun

    def show(self, counts: Mapping[str, int]) -> None:
        """Show these counts, if it is time."""
        if self._live:
            _write(f"\r\x1b[K{self._line(counts)}")
        elif time.monotonic() >= self._plain_at:
            self._plain_at = time.monotonic() + PLAIN_PAUSE_SECONDS
            _write(self._line(counts) + "\n")

    def leave(self, counts: Mapping[str, int]) -> None:
        """Show these counts, and let what comes next begin on a line of its own."""
        _write(f"\r\x1b[K{self._line(counts)}\n" if self._live else self._line(counts) + "\n")

    def _line(self, counts: Mapping[str, int]) -> str:
        total = sum(counts.values()) or 1
        done = sum(count for state, count in counts.items() if is_final(state))
        filled = BAR * done // total
        bar = "#" * filled + "." * (BAR - filled)
        seconds = time.monotonic() - self._begun
        waiting, running, retrying = (counts.get(state, 0) for state in ("pending", "processing", "failed"))
        return (
            f"   [{bar}] {done:>3}/{total} done, {running:>2} with workers,"
            f" {waiting:>3} waiting, {retrying:>2} to retry {seconds:3.0f} s"
        )


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
