"""The whole system as JSON."""

from __future__ import annotations

from typing import Any

from queuectl.manager.status import Status
from queuectl.schema.server import loss_object
from queuectl.schema.times import timestamp
from queuectl.schema.worker import worker_object


def status_object(status: Status) -> dict[str, Any]:
    """Return the counts, the pace, and what each worker does."""
    return {
        "jobs": {state.value: count for state, count in status.jobs.items()},
        "running": status.running,
        "claimed": status.claimed,
        "oldest_pending_at": timestamp(status.oldest_pending_at),
        "jobs_per_second": status.jobs_per_second,
        "seconds_left": status.seconds_left,
        "workers": [worker_object(worker) for worker in status.workers],
        "stopped": status.stopped,
        "set_aside": status.set_aside,
        "losses": [loss_object(loss) for loss in status.losses],
    }
