"""The options of a pool, one line each: the command line and the start in the background derive from it."""

from __future__ import annotations

from queuectl.options.table import POOL, Option, Options
from queuectl.options.values import seconds_up_to, switch, whole_up_to

MAX_WORKERS = 10_000
DEFAULT_LEASE_SECONDS = 30.0
DAY_SECONDS = 86_400.0


class PoolOptions(Options):
    """How a pool works. Times in seconds. A lease is renewed three times in its span."""

    workers = Option(
        whole_up_to(MAX_WORKERS, least=1),
        1,
        "Workers, each running one job at a time (default: 1).",
        POOL,
        flags=("--count", "-c"),
    )
    burst = Option(switch(), False, "Stop when nothing is pending, running or waiting for a retry.", POOL)
    lease_seconds = Option(
        seconds_up_to(DAY_SECONDS, least=1),
        DEFAULT_LEASE_SECONDS,
        f"Requeue a job when its worker has been silent this long (default: {DEFAULT_LEASE_SECONDS:g}).",
        POOL,
        flags=("--lease",),
    )
    grace_seconds = Option(
        seconds_up_to(DAY_SECONDS),
        5.0,
        "Time between SIGTERM and SIGKILL when a job is stopped (default: 5).",
        POOL,
        flags=("--grace",),
    )
    verbose = Option(
        switch(),
        False,
        "Print a line per job (default: on a terminal).",
        POOL,
        flags=("--verbose/--quiet", "-v/-q"),
    )
