"""Decides when a runner must stop its jobs because it can't renew their leases."""

from __future__ import annotations

from queuectl.worker.loop import Loop
from queuectl.worker.runner.jobs import Jobs
from queuectl.worker.runner.lease_time import LeaseTime
from queuectl.worker.runner.pulse import Pulse
from queuectl.worker.timers import Timer

CHECK_SECONDS = 5.0
"""The longest pause between two checks."""


class LeaseGuard:
    """Watches the leases' remaining time."""

    def __init__(self, lease_time: LeaseTime, loop: Loop, jobs: Jobs, pulse: Pulse) -> None:
        self._lease_time = lease_time
        self._margin = min(5.0, lease_time.lease_seconds / 6)
        self._loop = loop
        self._jobs = jobs
        self._pulse = pulse
        self._next: Timer | None = None

    def start(self) -> None:
        """Start watching."""
        self._watch()

    def stop(self) -> None:
        """Stop watching."""
        if self._next is not None:
            self._next.cancel()

    def _watch(self) -> None:
        self._next = self._loop.after(self._act(), self._watch)

    def _act(self) -> float:
        """Do what is due now; return the seconds until the next check."""
        now = self._loop.now
        left = self._lease_time.safe_until - self._margin - now
        if left > 0:
            return min(left, CHECK_SECONDS)
        if not self._jobs:
            return self._lease_time.lease_seconds / 3
        if self._pulse.beat():
            # The server was not silent: we were suspended. It may still hold the leases for us.
            return self._margin / 2
        self._jobs.lose_all()
        return 1.0
