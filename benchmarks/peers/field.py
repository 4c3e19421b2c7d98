"""Who takes part, by the name that `--peers` knows it by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.brokered import BullMQ, PythonPeer
from benchmarks.peers.own import Queuectl
from benchmarks.peers.peer import Peer
from benchmarks.peers.programs import Parallel, ParallelWithLogs, TaskSpooler, Xargs

REFERENCE = "xargs"

FIELD: dict[str, Callable[[Path], Peer]] = {
    REFERENCE: Xargs,
    "queuectl": lambda folder: Queuectl(folder, "always"),
    "queuectl-everysec": lambda folder: Queuectl(folder, "everysec"),
    "parallel": Parallel,
    "parallel-logs": ParallelWithLogs,
    "tsp": TaskSpooler,
    "huey": lambda folder: PythonPeer(
        folder,
        "huey",
        "huey_consumer huey_app.huey --workers {workers} --worker-type process --no-periodic --quiet",
        "nothing; the job of a dead worker is lost",
    ),
    "taskiq": lambda folder: PythonPeer(
        folder,
        "taskiq",
        "taskiq worker taskiq_app:broker --workers {workers} --max-async-tasks 1 --max-prefetch 4"
        " --log-level WARNING",
        "nothing; the job of a dead worker is lost",
    ),
    "saq": lambda folder: PythonPeer(
        folder,
        "saq",
        "saq saq_app.settings --workers {workers} --quiet",
        "job, status and times, for 10 minutes; those of a dead worker are aborted, or retried if set so",
    ),
    "celery": lambda folder: PythonPeer(
        folder,
        "celery",
        "celery --app celery_app worker --pool prefork --concurrency {workers} --loglevel WARNING"
        " --without-gossip --without-mingle --without-heartbeat",
        "nothing; the job of a dead worker is lost",
    ),
    "dramatiq": lambda folder: PythonPeer(
        folder,
        "dramatiq",
        "dramatiq dramatiq_app --processes {workers} --threads 1",
        "nothing; jobs of a dead worker run again",
    ),
    "rq-simple": lambda folder: PythonPeer(
        folder,
        "rq",
        "rq worker-pool --num-workers {workers} --worker-class rq.SimpleWorker --quiet",
        "job, status and times, for 500 s; those of a dead worker count as failed",
        name="rq, SimpleWorker",
    ),
    "rq": lambda folder: PythonPeer(
        folder,
        "rq",
        "rq worker-pool --num-workers {workers} --quiet",
        "job, status and times, for 500 s; those of a dead worker count as failed",
        name="rq, forking Worker",
        part=10,
    ),
    "bullmq": BullMQ,
}
