"""Shares of workers that have no runner now: waiting to be started, or resting while the stop signal is set."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

Share = list[str]
"""The numbers of one runner's workers."""


class Restart(NamedTuple):
    """A share and when to start it, by `time.monotonic`."""

    at: float
    share: Share


class Restarts:
    """Keeps the shares of runners that exited until another runner takes them over."""

    def __init__(self) -> None:
        self._planned: list[Restart] = []
        self._at_rest: list[Share] = []

    def __bool__(self) -> bool:
        """Whether any share waits to be started."""
        return bool(self._planned)

    @property
    def due(self) -> float:
        """When to start the next share; infinite if none waits."""
        return min((restart.at for restart in self._planned), default=math.inf)

    @property
    def any_at_rest(self) -> bool:
        """Whether any share rests that could be started again."""
        return bool(self._at_rest)

    def plan(self, share: Share, pause: float) -> None:
        """Start the share in ``pause`` seconds."""
        self._planned.append(Restart(time.monotonic() + pause, share))

    def rest(self, share: Share) -> None:
        """Rest the share: the stop signal stopped its runner."""
        self._at_rest.append(share)

    def wake_up(self, pause: float) -> None:
        """Start all resting shares in ``pause`` seconds."""
        for share in self._at_rest:
            self.plan(share, pause)
        self._at_rest.clear()

    def take_due(self) -> list[Share]:
        """Remove and return the shares to start now."""
        now = time.monotonic()
        due = [restart.share for restart in self._planned if restart.at <= now]
        self._planned = [restart for restart in self._planned if restart.at > now]
        return due

    def give_up(self) -> None:
        """Start no waiting share."""
        self._planned.clear()

    def clear(self) -> None:
        """Forget all: the caller is about to start them all anew."""
        self._planned.clear()
        self._at_rest.clear()
