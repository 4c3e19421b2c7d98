"""Until when a runner can be sure that it holds its leases."""

from __future__ import annotations

from queuectl.worker.loop import Loop


class LeaseTime:
    """A claim or renewal sent at ``t`` lasts at least until ``t + lease``, whenever the server received it.

    The clock keeps running while the machine sleeps, as the server's does.
    """

    def __init__(self, lease_seconds: float, loop: Loop) -> None:
        self.lease_seconds = lease_seconds
        self.safe_until = loop.now + lease_seconds
        self._loop = loop

    def renewed(self, sent_at: float) -> None:
        """Note that a call sent then gave or renewed all leases."""
        self.safe_until = sent_at + self.lease_seconds

    @property
    def is_over(self) -> bool:
        """Whether the leases may have expired: this process was stalled for too long, perhaps just now."""
        return self._loop.clock() >= self.safe_until
