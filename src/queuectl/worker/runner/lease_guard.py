"""Decides when a runner must stop its jobs because it can't renew their leases."""

from __future__ import annotations

from queuectl.worker.loop import Loop
from queuectl.worker.runner.connections import Connector
from queuectl.worker.runner.exchange import Exchange
from queuectl.worker.runner.jobs import Jobs
from queuectl.worker.runner.lease_time import LeaseTime
from queuectl.worker.runner.pulse import Pulse
from queuectl.worker.timers import Timer

ANSWER_SECONDS = 10.0
"""A server that has not answered for this long counts as gone."""


class LeaseGuard:
    """Watches the leases' remaining time, and whether the server answers."""

    def __init__(
        self, lease_time: LeaseTime, loop: Loop, connector: Connector, jobs: Jobs, exchange: Exchange, pulse: Pulse
    ) -> None:
        self._lease_time = lease_time
        self._margin = min(5.0, lease_time.lease_seconds / 6)
        self._loop = loop
        self._connector = connector
        self._jobs = jobs
        self._exchange = exchange
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
        if any(since is not None and now - since > ANSWER_SECONDS for since in self._unanswered()):
            self._connector.drop("The server does not answer.")
        left = self._lease_time.safe_until - self._margin - now
        if left > 0:
            return min(left, ANSWER_SECONDS / 2)
        if not self._jobs:
            return self._lease_time.lease_seconds / 3
        if self._pulse.beat():
            # The server was not silent: we were suspended. It may still hold the leases for us.
            return self._margin / 2
        self._jobs.lose_all()
        return 1.0

    def _unanswered(self) -> tuple[float | None, float | None]:
        """Return since when we have been waiting for answers."""
        return self._exchange.since, self._pulse.since
