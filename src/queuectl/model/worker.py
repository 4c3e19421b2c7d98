"""A worker, as the server knows it."""

from __future__ import annotations

from typing import NamedTuple


class WorkerInfo(NamedTuple):
    """One worker: a place in a pool that runs one job at a time.

    Times are Unix seconds by the server's clock. ``pid`` is the pool's process on ``host``;
    ``job`` is the id of the job it runs, empty while idle.
    """

    name: str
    status: str  # "idle", "busy" or "draining"
    job: str
    host: str
    pid: int
    started_at: float
    heartbeat: float
