"""Shows workers: one line each, or, if there are many, one per pool or host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from queuectl.cli.screens.table import table
from queuectl.cli.screens.values import SHORT_ID, span
from queuectl.model.worker import DRAINING, SILENT, STUCK, WorkerInfo

NOTABLE = (DRAINING, STUCK, SILENT)
"""The states of workers that the line of a pool mentions."""

MOST_LINES = 10
"""With more pools than this, show one line per host."""


def workers_table(workers: Sequence[WorkerInfo], now: float) -> None:
    """Print a line for each worker."""
    table(
        ["WORKER", "STATE", "JOB", "UP", "HOST"],
        [
            [
                worker.name,
                worker.status,
                worker.job[:SHORT_ID] or "-",
                span(now - worker.started_at),
                f"{worker.host} pid {worker.pid}",
            ]
            for worker in workers
        ],
        spare=["HOST", "UP"],
    )


def pools_table(workers: Sequence[WorkerInfo], now: float) -> None:
    """Print a line for each pool, or for each host if there are many pools."""
    by_pool = len({(worker.host, worker.pid) for worker in workers}) <= MOST_LINES
    rows = []
    for (host, pid), members in groupby(
        sorted(workers, key=lambda worker: (worker.host, worker.pid)),
        lambda worker: (worker.host, worker.pid if by_pool else 0),
    ):
        pool = list(members)
        states = Counter(worker.status for worker in pool)
        notable = [f"{states[state]:,} {state}" for state in NOTABLE if states[state]]
        rows.append(
            [
                host,
                f"pid {pid}" if by_pool else str(len({worker.pid for worker in pool})),
                ", ".join([f"{len(pool):,}", *notable]),
                span(now - min(worker.started_at for worker in pool)),
            ]
        )
    table(["HOST", "POOL" if by_pool else "POOLS", "WORKERS", "UP"], rows)
