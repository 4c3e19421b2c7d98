"""What the embedded server would inherit from the shell that happens to start it: limits and priority."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress

_LIMITS = {
    "f": ("RLIMIT_FSIZE", "the size of its files"),
    "t": ("RLIMIT_CPU", "its processor time"),
    "v": ("RLIMIT_AS", "its address space"),
    "d": ("RLIMIT_DATA", "its memory"),
    "n": ("RLIMIT_NOFILE", "its open files"),
}
"""The shell's letter for each limit that could stop a server, its name in the system, and in words."""

_ENOUGH_FILES = 1_024

RAISE = "".join(f'ulimit -S -{letter} "$(ulimit -H -{letter})" 2>/dev/null; ' for letter in _LIMITS)
"""Shell commands that raise each limit as far as the system allows."""


def lasting() -> Iterator[str]:
    """Yield a warning for each limit that can't be lifted, and so will hold for the server."""
    for name, words in _LIMITS.values():
        hard = resource.getrlimit(getattr(resource, name))[1]
        if hard == resource.RLIM_INFINITY or (name == "RLIMIT_NOFILE" and hard >= _ENOUGH_FILES):
            continue
        unit = {"RLIMIT_CPU": " seconds", "RLIMIT_NOFILE": ""}.get(name, " bytes")
        yield f"{words} ({hard:,}{unit})"


def is_low_priority(pid: int) -> bool:
    """Give the process the usual priority; return whether the system refused to raise it."""
    with suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, pid) > 0:
            os.setpriority(os.PRIO_PROCESS, pid, 0)
        return False
    return True
