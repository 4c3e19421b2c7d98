"""Shares of a pool's workers that have no runner now: to be started, or at rest while the stop signal is set."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

Share = list[str]
"""The numbers of one runner's workers."""


class Restart(NamedTuple):
    """A share to be started, by `time.monotonic`."""

    at: float
    share: Share


class Restarts:
    """Keeps the shares of runners that ended until another one takes them over."""

    def __init__(self) -> None:
        self._planned: list[Restart] = []
        self._at_rest: list[Share] = []

    def __bool__(self) -> bool:
        """Whether any is to be started."""
        return bool(self._planned)

    @property
    def due(self) -> float:
        """When the next one is to be started; infinite if none is."""
        return min((restart.at for restart in self._planned), default=math.inf)

    @property
    def any_at_rest(self) -> bool:
        """Whether the stop signal has ended any that could be started again."""
        return bool(self._at_rest)

    def plan(self, share: Share, pause: float) -> None:
        """Have it started in so many seconds."""
        self._planned.append(Restart(time.monotonic() + pause, share))

    def rest(self, share: Share) -> None:
        """The stop signal has ended its runner."""
        self._at_rest.append(share)

    def wake_up(self, pause: float) -> None:
        """Have those at rest started in so many seconds."""
        for share in self._at_rest:
            self.plan(share, pause)
        self._at_rest.clear()

    def take_due(self) -> list[Share]:
        """Those that are to be started now. They are the caller's."""
        now = time.monotonic()
        due = [restart.share for restart in self._planned if restart.at <= now]
        self._planned = [restart for restart in self._planned if restart.at > now]
        return due

    def give_up(self) -> None:
        """Have none started."""
        self._planned.clear()

    def clear(self) -> None:
        """All are about to be started anew."""
        self._planned.clear()
        self._at_rest.clear()
