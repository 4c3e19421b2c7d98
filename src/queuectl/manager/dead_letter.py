"""The Dead Letter Queue: list jobs that failed for good, run them again, or remove them."""

from __future__ import annotations

from collections.abc import Callable

from queuectl.errors import QueuectlError
from queuectl.logs import retention
from queuectl.manager.selection import resolve
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls import jobs
from queuectl.storage.calls.workers import overview
from queuectl.storage.reads import page
from queuectl.storage.scripts import CHUNK


class DeadLetterQueue:
    """The jobs in state dead."""

    def __init__(self, storage: RedisStorage) -> None:
        self._storage = storage

    def count(self) -> int:
        """How many there are."""
        return self._storage.run(overview()).jobs[JobState.DEAD]

    def retry(self, prefix: str) -> str:
        """Put one job back into the queue, with all its retries. Gives its id."""
        job_id = resolve(self._storage, prefix)
        (answer,) = self._storage.run(jobs.dlq_retry([job_id]))
        if answer != "retried":
            raise QueuectlError(
                f"Job {job_id} is not in the dead letter queue: it is {answer}.", "See: queuectl dlq list"
            )
        return job_id

    def retry_all(self) -> int:
        """Put back all jobs that are dead now. Gives how many."""
        return self._each_chunk(lambda ids: self._storage.run(jobs.dlq_retry(ids)).count("retried"))

    def clear(self) -> int:
        """Remove all jobs that are dead now, and their logs on this host. Gives how many."""

        def remove(ids: list[str]) -> int:
            gone = self._storage.run(jobs.delete(JobState.DEAD, ids))
            retention.remove(self._storage.settings.home, gone)
            return len(gone)

        return self._each_chunk(remove)

    def _each_chunk(self, act: Callable[[list[str]], int]) -> int:
        # From the newest to the oldest, so that jobs which die meanwhile are not among them.
        total, after = 0, ""
        while True:
            found = page(self._storage, [JobState.DEAD], CHUNK, after)
            total += act([job.id for job in found.jobs] + [job_id for job_id, _ in found.invalid])
            if not found.end:
                return total
            after = found.end
