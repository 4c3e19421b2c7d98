"""A worker, as the server knows it."""

from __future__ import annotations

from typing import NamedTuple

IDLE = "idle"
BUSY = "busy"
DRAINING = "draining"
STUCK = "stuck"
"""Its job has processes that it can't kill."""
SILENT = "silent"
"""Its runner does not answer: the pool says so in its place."""


class WorkerInfo(NamedTuple):
    """One worker: a place in a pool that runs one job at a time.

    ``status`` is one of the constants above. Times are Unix seconds by the server's clock. ``pid`` is
    the pool's process on ``host``; ``job`` is the id of the job it runs, empty while idle.
    """

    name: str
    status: str
    job: str
    host: str
    pid: int
    started_at: float
    heartbeat: float

    @property
    def runner(self) -> str:
        """The name of the runner it belongs to: ``web1-3fa2c1`` for ``web1-3fa2c1-2``."""
        return self.name.rpartition("-")[0]
