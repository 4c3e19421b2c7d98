"""The whole system at one moment, and what can be told from it."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from queuectl.model.lifecycle import JobState
from queuectl.model.worker import SILENT, STUCK, WorkerInfo
from queuectl.server import losses
from queuectl.server.losses import Loss
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.workers import overview
from queuectl.storage.reads import Activity

FEW_LEASES = 25
"""Of so many leases the owner is read; with more, all are taken for those of the workers that are alive."""

FEWEST_FINISHED = 5
"""Fewer say nothing about the next ones."""


class Status(NamedTuple):
    """Counts of all states, all workers, and what is derived from both."""

    jobs: dict[JobState, int]
    workers: list[WorkerInfo]
    stopped: bool
    set_aside: list[str]
    activity: Activity
    leases: Counter[str] | None
    losses: list[Loss]
    """Data that the embedded server has lost, until a person acknowledges it."""

    @property
    def running(self) -> int:
        """Jobs that run at this moment.

        ``leases`` counts the leases of each runner, if there are few. A runner of short jobs holds more than it has
        workers, and starts them as soon as one is free, so what exceeds the number of its workers waits. The
        workers' records would not do: they leave out jobs of less than a moment, so a pool at full speed would look
        idle.
        """
        if self.leases is None:
            return min(self.jobs[JobState.PROCESSING], len(self.workers))
        places = Counter(worker.runner for worker in self.workers)
        return sum(min(count, self.leases[runner]) for runner, count in places.items())

    @property
    def claimed(self) -> int:
        """Jobs that are leased and do not run: claimed ahead, or held by a runner that has no worker here."""
        return max(0, self.jobs[JobState.PROCESSING] - self.running)

    @property
    def waiting(self) -> int:
        """Jobs that are ready and do not run yet."""
        return self.jobs[JobState.PENDING] + self.claimed

    @property
    def stuck(self) -> list[str]:
        """Ids of jobs that have processes that their workers can't kill."""
        return [worker.job for worker in self.workers if worker.status == STUCK and worker.job]

    @property
    def silent(self) -> list[WorkerInfo]:
        """Workers whose runner does not answer."""
        return [worker for worker in self.workers if worker.status == SILENT]

    @property
    def oldest_pending_at(self) -> float | None:
        """When the job that has been pending longest became so."""
        return self.activity.oldest_pending_at

    @property
    def jobs_per_second(self) -> float | None:
        """How many jobs finished per second lately; None if fewer than FEWEST_FINISHED did."""
        activity = self.activity
        if activity.finished < FEWEST_FINISHED or activity.first_finished_at is None:
            return None
        return activity.finished / max(activity.now - activity.first_finished_at, 0.1)

    @property
    def seconds_left(self) -> float | None:
        """How long the jobs that are ready or running will take at this pace; None where it can't be told."""
        left = self.waiting + self.running
        if not left or not self.workers or self.stopped or not self.jobs_per_second:
            return None
        return left / self.jobs_per_second


def read_status(storage: RedisStorage) -> Status:
    """The status now."""
    seen = storage.run(overview())
    workers = sorted(reads.workers(storage, seen.workers))
    owners = reads.lease_owners(storage, most=FEW_LEASES)
    leases = None if owners is None else Counter(owners)
    lost = [] if storage.settings.redis_url else losses.of(storage.settings.home)
    return Status(seen.jobs, workers, seen.stopped, seen.set_aside, reads.activity(storage), leases, lost)
