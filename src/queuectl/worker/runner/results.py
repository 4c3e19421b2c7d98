"""The results of a runner on their way to the server."""

from __future__ import annotations

from queuectl.model.job import Lease
from queuectl.model.outcome import Outcome
from queuectl.storage.calls.leases import Invalid

Result = tuple[Lease | Invalid, Outcome, str]
"""What is ended, how, and the worker (or the runner) that did it."""


class Results:
    """Those that are to be sent, and those that were sent and are not acknowledged yet."""

    def __init__(self) -> None:
        self.unsent: list[Result] = []
        self._sent: list[Result] = []

    def add(self, lease: Lease | Invalid, outcome: Outcome, worker: str) -> None:
        """A lease ends so; it goes with the next exchange."""
        self.unsent.append((lease, outcome, worker))

    @property
    def settled(self) -> bool:
        """Whether the server has acknowledged all of them."""
        return not self.unsent and not self._sent

    def send(self, most: int) -> list[Result]:
        """The next ones to be sent, at most so many. Only when the last ones were acknowledged."""
        self._sent, self.unsent = self.unsent[:most], self.unsent[most:]
        return self._sent

    def acknowledged(self) -> None:
        """The server has recorded what was sent."""
        self._sent = []

    def not_acknowledged(self) -> None:
        """The connection is lost. All are sent again; the fence makes one that did arrive harmless."""
        self.unsent = self._sent + self.unsent
        self._sent = []
