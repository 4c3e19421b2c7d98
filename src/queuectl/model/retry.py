"""Whether and when a failed attempt is retried."""

from __future__ import annotations

from typing import NamedTuple

MAX_DELAY_SECONDS = 366 * 86_400.0
"""The longest delay. An exponential soon exceeds every calendar, and then floating point itself."""


class RetryPolicy(NamedTuple):
    """How often, and after which pauses, a failing command runs again.

    The pause before retry number ``n`` (0 for the first) is ``backoff_base * backoff_factor ** n`` seconds. This is
    exponential backoff like TCP's retransmission timer (RFC 6298, 5.5), but without jitter: 2, 2 gives exactly
    2, 4, 8 seconds.
    """

    max_retries: int = 3
    backoff_base: float = 2.0
    backoff_factor: float = 2.0

    def allows_retry(self, attempts: int) -> bool:
        """Whether to retry after ``attempts`` (at least 1) have failed."""
        return attempts <= self.max_retries

    def delay_seconds(self, retry: int) -> float:
        """Return the pause in seconds before retry number ``retry``, counted from 0; at most a year."""
        if self.backoff_base <= 0:
            return 0.0
        try:
            delay = self.backoff_base * self.backoff_factor**retry
        except OverflowError:
            return MAX_DELAY_SECONDS
        return min(delay, MAX_DELAY_SECONDS)
