"""What comes up to a runner from the parts that talk to the server."""

from __future__ import annotations

from typing import Protocol

from queuectl.storage.calls.leases import Claim


class Events(Protocol):
    """What concerns the runner as a whole. All else is dealt with by the part that hears it."""

    def known(self) -> None:
        """The server knows of this runner and its workers. Told again with each answer to a heartbeat."""

    def stop_signal(self, *, is_set: bool) -> None:
        """Whether the stop signal is set. Told again with each answer to a heartbeat."""

    def claimed(self, claim: Claim) -> None:
        """A claim came back, and its jobs were taken."""
