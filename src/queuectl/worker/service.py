"""The contract that the long-running parts of a pool and of a runner share."""

from __future__ import annotations

from typing import Protocol


class Service(Protocol):
    """A part that works on by itself once it was started.

    Its constructor does nothing that has to be undone. The owner starts its parts from the bottom, and stops them
    in the opposite order, each once. Neither call waits for the server.
    """

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Give up what is under way, and release what is held."""


class Timed(Service, Protocol):
    """A service of the pool, which has no event loop: the pool calls it when it is due."""

    @property
    def due(self) -> float:
        """When `turn` has something to do, in seconds by `time.monotonic`; infinite for never."""

    def turn(self) -> None:
        """Do what is due, if anything is."""
