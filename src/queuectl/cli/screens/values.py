"""Formats durations, times, sizes and numbers."""

from __future__ import annotations

import time

SHORT_ID = 8
"""Digits of an id in a table."""

_UNITS = (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1))


def span(seconds: float) -> str:
    """Format a duration in its one or two largest units: ``21 ms``, ``0.4s``, ``3m05s``, ``1h``, ``4d03h``."""
    seconds = abs(seconds)
    if seconds == 0:
        return "0s"
    if seconds < 0.0995:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for unit, size, smaller, part in _UNITS:
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{unit}" + (f"{rest:02d}{smaller}" if rest else "")
    return f"{whole}s"


def quantity(count: int, noun: str) -> str:
    """``1 job``, ``1,200 jobs``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def ago(moment: float, now: float) -> str:
    """Return ``2m ago``, or ``in 5s`` for a future time."""
    return f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"


def since(moment: float, now: float) -> str:
    """Return how long something has been going on: ``for 3s``."""
    return f"for {span(max(0.0, now - moment))}"


def local_time(seconds: float) -> str:
    """Format a time by this machine's clock, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
