"""Calls that are due later, for an event loop."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Timer:
    """A call that is due; `cancel` it if it is not needed any more."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """The call won't be made."""
        self.call = None


class Timers:
    """Calls in the order of their time, which is in seconds by any clock that the owner keeps to."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        """Have ``call`` made once the clock has reached ``when``."""
        timer = Timer(call)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def seconds_until_next(self, now: float) -> float | None:
        """Seconds until the first call is due; None when there is none."""
        while self._heap and self._heap[0][2].call is None:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - now) if self._heap else None

    def run_due(self, now: float) -> None:
        """Make all calls that are due at ``now``."""
        while self._heap and self._heap[0][0] <= now:
            call = heapq.heappop(self._heap)[2].call
            if call is not None:
                call()
