"""Until when all leases of a runner are certain to be its own."""

from __future__ import annotations

from queuectl.worker.loop import Loop


class LeaseTime:
    """A claim or a renewal that was sent at ``t`` lasts until ``t + lease`` at least, whenever the server got it.

    By a clock that runs on while the machine sleeps, as the server's does.
    """

    def __init__(self, lease_seconds: float, loop: Loop) -> None:
        self.lease_seconds = lease_seconds
        self.safe_until = loop.now + lease_seconds
        self._loop = loop

    def renewed(self, sent_at: float) -> None:
        """All leases were given or renewed by a call that was sent then."""
        self.safe_until = sent_at + self.lease_seconds

    @property
    def is_over(self) -> bool:
        """Whether they may have ended by now: this process stood still for too long, if only just now."""
        return self._loop.clock() >= self.safe_until
