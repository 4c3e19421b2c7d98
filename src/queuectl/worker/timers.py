"""Delayed calls, for an event loop."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Timer:
    """A call to make when it is due, unless cancelled first."""

    __slots__ = ("_timers", "call")

    def __init__(self, call: Callable[[], None], timers: Timers) -> None:
        self.call: Callable[[], None] | None = call
        self._timers = timers

    def cancel(self) -> None:
        """Don't make the call."""
        if self.call is not None:
            self.call = None
            self._timers.forget_one()


class Timers:
    """Delayed calls ordered by time, in seconds by whichever clock the owner uses."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._cancelled = 0

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        """Make the call ``call`` once the clock reaches ``when``."""
        timer = Timer(call, self)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def forget_one(self) -> None:
        """Count a cancelled timer; drop those once they fill half the heap. Most jobs never reach their timeout."""
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].call is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def seconds_until_next(self, now: float) -> float | None:
        """Return the seconds until the first call is due; None without a call."""
        while self._heap and self._heap[0][2].call is None:
            self._pop()
        return max(0.0, self._heap[0][0] - now) if self._heap else None

    def run_due(self, now: float) -> None:
        """Make all calls due at ``now``."""
        while self._heap and self._heap[0][0] <= now:
            timer = self._pop()
            call, timer.call = timer.call, None
            if call is not None:
                call()

    def _pop(self) -> Timer:
        timer = heapq.heappop(self._heap)[2]
        if timer.call is None:
            self._cancelled -= 1
        return timer
