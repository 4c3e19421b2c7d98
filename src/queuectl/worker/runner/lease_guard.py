"""When a runner must end its own jobs because their leases can't be renewed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from queuectl.worker.loop import Loop

ANSWER_SECONDS = 10.0
"""A server that has not answered for so long is taken for gone."""


class Guarded(Protocol):
    """What the guard looks at, and acts on."""

    def waits_since(self) -> float | None:
        """Since when an answer of the server is due; None if there is none to come."""

    def beat(self) -> bool:
        """Send a heartbeat; False if one is under way already, or there is no connection."""

    def give_up_connection(self) -> None:
        """Take the server for gone, and connect anew."""


class LeaseGuard:
    """Watches the time until which all leases are certain to be ours.

    A claim or a renewal that was sent at ``t`` lasts until ``t + lease`` at least, whenever the server got it.
    By a clock that runs on while the machine sleeps, as the server's does.
    """

    def __init__(
        self,
        lease_seconds: float,
        loop: Loop,
        guarded: Guarded,
        holds_leases: Callable[[], bool],
        lose_all: Callable[[], None],
    ) -> None:
        self._lease_seconds = lease_seconds
        self._margin = min(5.0, lease_seconds / 6)
        self._loop = loop
        self._guarded = guarded
        self._holds_leases = holds_leases
        self._lose_all = lose_all
        self._safe_until = loop.now + lease_seconds
        self._look()

    def renewed(self, sent_at: float) -> None:
        """A heartbeat that was sent then was answered."""
        self._safe_until = sent_at + self._lease_seconds

    @property
    def outlived(self) -> bool:
        """Whether the leases may have ended by now: this process stood still for too long, if only just now."""
        return self._loop.clock() >= self._safe_until

    def _look(self) -> None:
        self._loop.after(self._act(), self._look)

    def _act(self) -> float:
        """Do what is to be done now; gives the seconds until the next look."""
        now = self._loop.now
        since = self._guarded.waits_since()
        if since is not None and now - since > ANSWER_SECONDS:
            self._guarded.give_up_connection()
        left = self._safe_until - self._margin - now
        if left > 0:
            return min(left, ANSWER_SECONDS / 2)
        if not self._holds_leases():
            return self._lease_seconds / 3
        if self._guarded.beat():
            # Not a silent server: it is we who were suspended. It may still hold the leases for us.
            return self._margin / 2
        self._lose_all()
        return 1.0
