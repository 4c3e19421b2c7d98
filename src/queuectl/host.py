"""This host: its name, as workers and jobs use it, and the number of processors we may use."""

from __future__ import annotations

import os


def host_name() -> str:
    """Return this host's name, at most 40 characters, in the alphabet of worker names."""
    name = "".join(c if (c.isascii() and c.isalnum()) or c in "-." else "-" for c in os.uname().nodename)
    return name[:40].strip("-.") or "host"


def processors() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
