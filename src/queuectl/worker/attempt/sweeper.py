"""Ends what outlived a runner's jobs by leaving their process groups; see `descendants`."""

from __future__ import annotations

from collections.abc import Callable

from queuectl.worker.attempt import descendants
from queuectl.worker.attempt.attempts import Attempts
from queuectl.worker.loop import Loop, Once

SWEEP_SECONDS = 0.25
"""Processes that left their job's group are looked for so long after its end."""

AGAIN_SECONDS = 0.02
"""If there were any, their children are ours so much later."""


class Sweeper:
    """Looks some time after it was asked to. Not while ``connecting``: what starts a server is our child, too."""

    def __init__(self, loop: Loop, attempts: Attempts, connecting: Callable[[], bool]) -> None:
        self._attempts = attempts
        self._connecting = connecting
        self._look = Once(loop, self.sweep)

    def plan(self, seconds: float = SWEEP_SECONDS) -> None:
        """Look so long from now, if no look is planned already."""
        self._look.plan(seconds)

    def sweep(self) -> None:
        """Look now."""
        if self._connecting():
            self.plan()
            return
        jobs = {running.lease.job_id.encode() for running in self._attempts.running}
        try:
            strays = descendants.end_adopted(self._attempts.is_ours, jobs)
        except OSError:
            self.plan()  # no file can be opened to look at them
            return
        if strays:
            self.plan(AGAIN_SECONDS)
