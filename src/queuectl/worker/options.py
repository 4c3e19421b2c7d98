"""The options of a pool."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_LEASE_SECONDS = 30.0
"""How long a silent worker keeps its job. A worker renews its leases three times in that span."""

DEFAULT_GRACE_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL for a job that timed out or was cancelled."""


class PoolOptions(NamedTuple):
    """How a pool works. Times in seconds.

    ``workers``: how many; each runs one job at a time. ``burst``: exit when no job is pending, running or waiting
    for a retry. ``verbose``: print a line to stderr for each finished job, and a summary at the end.
    """

    workers: int = 1
    burst: bool = False
    lease_seconds: float = DEFAULT_LEASE_SECONDS
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    verbose: bool = False
