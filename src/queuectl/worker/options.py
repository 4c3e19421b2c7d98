"""What a pool is told when it starts."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_LEASE_SECONDS = 30.0
"""How long a job stays with a worker that is not heard of. It is renewed three times in that span."""

DEFAULT_GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL for a job that timed out or was cancelled."""


class PoolOptions(NamedTuple):
    """How a pool works. Times in seconds.

    ``workers``: how many; each runs one job at a time. ``burst``: exit when nothing is pending, running or
    waiting for a retry. ``verbose``: a line on stderr for each job that ends, and one for all of them in the end.
    """

    workers: int = 1
    burst: bool = False
    lease_seconds: float = DEFAULT_LEASE_SECONDS
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    verbose: bool = False
