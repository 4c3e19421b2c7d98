"""A worker as JSON."""

from __future__ import annotations

from typing import Any

from queuectl.model.worker import WorkerInfo
from queuectl.schema.times import timestamp


def worker_object(worker: WorkerInfo) -> dict[str, Any]:
    """Return everything known about a worker. ``status`` is the deprecated name of ``state``."""
    return {
        "name": worker.name,
        "state": worker.status,
        "status": worker.status,
        "job": worker.job or None,
        "host": worker.host,
        "pid": worker.pid,
        "started_at": timestamp(worker.started_at),
        "heartbeat": timestamp(worker.heartbeat),
    }
