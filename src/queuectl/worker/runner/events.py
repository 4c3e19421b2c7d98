"""Events that the parts that talk to the server report to their runner."""

from __future__ import annotations

from typing import Protocol

from queuectl.storage.calls.leases import Claim


class Events(Protocol):
    """Events that affect the runner as a whole. The part that receives any other event handles it."""

    def known(self) -> None:
        """The server knows this runner and its workers. Repeated with each heartbeat's answer."""

    def stop_signal(self, *, is_set: bool) -> None:
        """Whether the stop signal is set. Repeated with each heartbeat's answer."""

    def claimed(self, claim: Claim) -> None:
        """A claim was answered, and its jobs were taken."""
