"""What a pool says on stderr about its jobs."""

from __future__ import annotations

import os
import time

from queuectl.model.command import EXEC
from queuectl.model.job import COMPLETED, DEAD, RETRY, Outcome
from queuectl.storage.codec import Lease
from queuectl.text import one_line


class Reporter:
    """Writes a line for each job that ends, if asked to."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose

    def ended(self, lease: Lease, outcome: Outcome, worker: str) -> None:
        """One job's attempt is over."""
        if not self._verbose:
            return
        command = lease.command.replace(b"\0", b" ") if lease.form == EXEC else lease.command
        said = {
            COMPLETED: "completed",
            RETRY: f"failed ({outcome.reason}), again in {outcome.delay:g} s",
            DEAD: f"dead ({outcome.reason})",
        }.get(outcome.verdict, outcome.verdict.replace("_", " "))
        clock = time.strftime("%H:%M:%S")
        shown = one_line(command.decode("utf-8", "replace"), 60)
        self.say(f"{clock} {worker} {lease.job_id[:8]} {said} after {outcome.duration:.2f} s: {shown}")

    @staticmethod
    def say(text: str) -> None:
        """One line; nobody waits for it, and a closed stderr does no harm."""
        try:
            os.write(2, f"queuectl: {one_line(text)}\n".encode("utf-8", "replace"))
        except OSError:
            pass
