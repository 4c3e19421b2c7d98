"""A runner's results on their way to the server."""

from __future__ import annotations

from queuectl.model.job import Lease
from queuectl.model.outcome import Outcome
from queuectl.storage.calls.leases import Invalid

Result = tuple[Lease | Invalid, Outcome, str]
"""The lease that ended, its outcome, and the worker (or runner) that ended it."""


class Results:
    """The results to send, and those that were sent but not acknowledged."""

    def __init__(self) -> None:
        self.unsent: list[Result] = []
        self._sent: list[Result] = []

    def add(self, lease: Lease | Invalid, outcome: Outcome, worker: str) -> None:
        """Add a lease's outcome; the next exchange sends it."""
        self.unsent.append((lease, outcome, worker))

    @property
    def settled(self) -> bool:
        """Whether the server has acknowledged all results."""
        return not self.unsent and not self._sent

    def send(self, most: int) -> list[Result]:
        """Return the next results to send, at most ``most``. Call only when the last ones were acknowledged."""
        self._sent, self.unsent = self.unsent[:most], self.unsent[most:]
        return self._sent

    def acknowledged(self) -> None:
        """The server has recorded what was sent."""
        self._sent = []

    def not_acknowledged(self) -> None:
        """The connection is lost: send all again. The fence makes a result that did arrive harmless."""
        self.unsent = self._sent + self.unsent
        self._sent = []
