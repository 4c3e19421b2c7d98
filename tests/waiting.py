"""Waits for conditions instead of durations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], timeout: float = 20.0) -> T:
    """Check repeatedly until ``condition()`` is true; return its value. Fails after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, f"did not come true within {timeout:g} s"
        time.sleep(0.005)
    return found
