"""Times as JSON."""

from __future__ import annotations

import time


def timestamp(seconds: float | None) -> str | None:
    """Format a time as UTC per RFC 3339, with milliseconds; None stays None."""
    if seconds is None:
        return None
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"
