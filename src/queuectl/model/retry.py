"""When a failed attempt is tried again, and when it is not."""

from __future__ import annotations

from typing import NamedTuple

MAX_DELAY_SECONDS = 366 * 86_400.0
"""No delay is longer: an exponential soon passes every calendar, and then floating point itself."""


class RetryPolicy(NamedTuple):
    """How often, and after which pauses, a failing command runs again.

    The pause before retry number ``n`` (0 for the first) is ``backoff_base * backoff_factor ** n``
    seconds: exponential backoff, as TCP's retransmission timer does it (RFC 6298, 5.5). There is no jitter:
    2, 2 gives exactly 2, 4, 8 seconds.
    """

    max_retries: int = 3
    backoff_base: float = 2.0
    backoff_factor: float = 2.0

    def allows_retry(self, attempts: int) -> bool:
        """Whether another attempt follows, once ``attempts`` (at least 1) have failed."""
        return attempts <= self.max_retries

    def delay_seconds(self, retry: int) -> float:
        """The pause in seconds before retry number ``retry``, counted from 0; at most a year."""
        if self.backoff_base <= 0:
            return 0.0
        try:
            delay = self.backoff_base * self.backoff_factor**retry
        except OverflowError:
            return MAX_DELAY_SECONDS
        return min(delay, MAX_DELAY_SECONDS)
