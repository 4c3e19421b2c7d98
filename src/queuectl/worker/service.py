"""The interface that the long-running parts of pools and runners share."""

from __future__ import annotations

from typing import Protocol


class Service(Protocol):
    """A part that keeps working once started.

    Its constructor does nothing that needs undoing. The owner starts its parts from the bottom up and stops them
    in the opposite order, each once. Neither call waits for the server.
    """

    def start(self) -> None:
        """Start working."""

    def stop(self) -> None:
        """Abandon unfinished work and release all resources."""


class Timed(Service, Protocol):
    """A service of the pool. The pool has no event loop, so it calls the service when it is due."""

    @property
    def due(self) -> float:
        """When `turn` has work, in seconds by `time.monotonic`; infinite for never."""

    def turn(self) -> None:
        """Do the work that is due, if any."""
