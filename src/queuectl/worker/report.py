"""What a pool prints to stderr about its jobs."""

from __future__ import annotations

import os
import shutil
import time
from typing import ClassVar

from queuectl import notices
from queuectl.model.cause import in_short
from queuectl.model.command import EXEC
from queuectl.model.job import Lease
from queuectl.model.outcome import COMPLETED, DEAD, RETRY, Outcome
from queuectl.text import one_line

BACKGROUND_COLUMNS = 140
"""Line width in a file; on a terminal, lines are as wide as the terminal."""

LEAST_COLUMNS = 13
"""We show at least this much of a command, however long the rest of the line is."""


class Reporter:
    """Writes messages, and a line for each finished job if ``verbose``.

    ``14:21:22 ok 0.02s d0064e22 gzip -9k set-142.csv``
    """

    _pool: ClassVar[int] = 0
    """The pid of this process's pool if other pools share its stderr, else 0."""

    @classmethod
    def share_file(cls, pool: int) -> None:
        """Start each line of this process and its children with the date, time and pid of their pool."""
        cls._pool = pool
        notices.printer = cls.say

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._said: set[str] = set()
        self._width = BACKGROUND_COLUMNS if self._pool else shutil.get_terminal_size().columns

    def ended(self, lease: Lease, outcome: Outcome) -> None:
        """Report that an attempt of a job is over."""
        if not self._verbose:
            return
        job = lease.job
        command = job.command.replace(b"\0", b" ") if job.form == EXEC else job.command
        beginning = f"{_word(outcome)} {_seconds(outcome.duration)} {lease.job_id[:8]} {_why(outcome)}"
        if not self._pool:
            beginning = f"{time.strftime('%H:%M:%S')} {beginning}"
        room = max(LEAST_COLUMNS, self._width - len(beginning))
        self._tell(beginning + one_line(command.decode("utf-8", "replace"), room))

    def sum_up(self, text: str) -> None:
        """Summarize all jobs when the pool exits; not in the background, where nobody reads it as a summary."""
        if self._verbose and not self._pool:
            self._tell(text)

    def say_once(self, text: str) -> None:
        """Print a message unless it was printed lately."""
        if text not in self._said:
            self._said = {text, *list(self._said)[:15]}
            self.say(text)

    @classmethod
    def say(cls, text: str) -> None:
        """Print a message on one line."""
        cls._tell(text if cls._pool else f"queuectl: {text}")

    @classmethod
    def _tell(cls, text: str) -> None:
        """Print one line; ignore errors, so that a closed stderr does no harm."""
        origin = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {cls._pool} queuectl: " if cls._pool else ""
        try:
            os.write(2, f"{origin}{one_line(text)}\n".encode("utf-8", "replace"))
        except OSError:
            pass


def _word(outcome: Outcome) -> str:
    return {COMPLETED: "ok", RETRY: "failed"}.get(outcome.verdict, outcome.verdict.replace("_", " "))


def _why(outcome: Outcome) -> str:
    """Return ``exit 7, retry in 2s: ``, or an empty string if there is nothing to explain."""
    if outcome.verdict not in (RETRY, DEAD):
        return ""
    why = in_short(outcome.cause, outcome.detail)
    return f"{why}, {_when(outcome.delay)}: " if outcome.verdict == RETRY else f"{why}: "


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}s" if seconds < 100 else f"{seconds:.0f}s"


def _when(delay: float) -> str:
    if delay == 0:
        return "retry now"
    return f"retry in {delay:.3g}s" if delay < 100 else f"retry in {delay:.0f}s"
