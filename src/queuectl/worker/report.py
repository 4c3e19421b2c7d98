"""What a pool says on stderr about its jobs."""

from __future__ import annotations

import os
import shutil
import time
from typing import ClassVar

from queuectl.model import cause
from queuectl.model.command import EXEC
from queuectl.model.job import Lease
from queuectl.model.outcome import COMPLETED, DEAD, RETRY, Outcome
from queuectl.text import one_line


class Reporter:
    """Writes a line for each job that ends, if asked to."""

    _pool: ClassVar[int] = 0
    """Pid of the pool of this process if other pools write to its stderr, too."""

    @classmethod
    def share_file(cls, pool: int) -> None:
        """Begin each line of this process and its children with date, time and the pid of their pool."""
        cls._pool = pool

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._said: set[str] = set()
        self._width = shutil.get_terminal_size((140, 24)).columns

    def ended(self, lease: Lease, outcome: Outcome, worker: str) -> None:
        """One job's attempt is over."""
        if not self._verbose:
            return
        job = lease.job
        command = job.command.replace(b"\0", b" ") if job.form == EXEC else job.command
        why = cause.sentence(outcome.cause, outcome.detail, job.options)
        took = f"after {outcome.duration:.2f} s"
        said = {
            COMPLETED: f"completed {took}",
            RETRY: f"failed {took} ({why}), retry in {outcome.delay:g} s",
            DEAD: f"dead {took} ({why})",
        }.get(outcome.verdict, f"{outcome.verdict.replace('_', ' ')} {took}")
        line = f"{worker} {lease.job_id[:8]} {said}: "
        if not self._pool:
            line = f"{time.strftime('%H:%M:%S')} {line}"
        shown = one_line(command.decode("utf-8", "replace"), max(20, self._width - len("queuectl: " + line)))
        self.say(line + shown)

    def say_once(self, text: str) -> None:
        """The same thing is not said again."""
        if text not in self._said:
            self._said = {text, *list(self._said)[:15]}
            self.say(text)

    @classmethod
    def say(cls, text: str) -> None:
        """One line; nobody waits for it, and a closed stderr does no harm."""
        origin = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {cls._pool} " if cls._pool else ""
        try:
            os.write(2, f"{origin}queuectl: {one_line(text)}\n".encode("utf-8", "replace"))
        except OSError:
            pass
