"""This host: its name as workers and jobs carry it, and how many processors we may use."""

from __future__ import annotations

import os


def host_name() -> str:
    """This host's name, in the alphabet of worker names; at most 40 characters."""
    name = "".join(c if (c.isascii() and c.isalnum()) or c in "-." else "-" for c in os.uname().nodename)
    return name[:40].strip("-.") or "host"


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
