"""Kills processes that outlived a runner's jobs by leaving their process groups; see `descendants`."""

from __future__ import annotations

from collections.abc import Callable

from queuectl.worker.attempt import descendants
from queuectl.worker.attempt.attempts import Attempts
from queuectl.worker.loop import Loop, Once

SWEEP_SECONDS = 0.25
"""Pause between a job's end and the search for processes that left its group."""

AGAIN_SECONDS = 0.02
"""Pause before the next search if there were any: by then, their children are ours."""


class Sweeper:
    """Searches on request, after a pause. Not while ``connecting``: what starts a server is our child too."""

    def __init__(self, loop: Loop, attempts: Attempts, connecting: Callable[[], bool]) -> None:
        self._attempts = attempts
        self._connecting = connecting
        self._look = Once(loop, self.sweep)

    def plan(self, seconds: float = SWEEP_SECONDS) -> None:
        """Search in ``seconds`` seconds, unless a search is already planned."""
        self._look.plan(seconds)

    def sweep(self) -> None:
        """Search now."""
        if self._connecting():
            self.plan()
            return
        jobs = {running.lease.job_id.encode() for running in self._attempts.running}
        try:
            adopted = descendants.end_adopted(self._attempts.is_ours, jobs)
        except OSError:
            self.plan()  # no free file descriptor to read them with
            return
        self._attempts.survivors.outlived(adopted.immune)
        if adopted.killed:
            self.plan(AGAIN_SECONDS)
