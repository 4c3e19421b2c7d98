"""`RedisStorage`: every operation on the queue's state, each one atomic script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from queuectl.errors import RecordInvalid
from queuectl.model.job import Job, Lease
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import Outcome
from queuectl.model.worker import WorkerInfo
from queuectl.storage import calls, codec
from queuectl.storage.connect import server_url
from queuectl.storage.scripts import CHUNK
from queuectl.storage.session import Session

if TYPE_CHECKING:
    import redis


class RedisStorage(Session):
    """The queue's state in one namespace of one server; see `Session` for where that is."""

    _redis: redis.Redis | None = None

    @property
    def r(self) -> redis.Redis:
        """A redis-py client of the same server, with decoded responses; made on first use."""
        if self._redis is None:
            from queuectl.storage.redis_py import connect

            self.exchange([("PING",)])  # starts the embedded server
            self._redis = connect(server_url(self.settings), decode_responses=True)
        return self._redis

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        super().close()
        if self._redis is not None:
            self._redis.close()
            self._redis = None

    # Jobs -----------------------------------------------------------------------------------------

    def claim(self, runner: str, *, lease_seconds: float, want: int) -> calls.Claim:
        """Lease up to ``want`` of the oldest pending jobs."""
        return self.run(calls.claim(runner, lease_seconds, want))

    def finish(self, results: Sequence[tuple[Lease | calls.Invalid, Outcome, str]]) -> list[str]:
        """End leases: ``(lease, outcome, worker)`` each. Gives each job's state, or "stale"."""
        return self.run(calls.finish(results))

    def cancel(self, job_ids: Sequence[str]) -> list[str]:
        """Cancel jobs. Gives for each "cancelled", "requested" (it runs), "missing", or its final state."""
        return self.run(calls.cancel(job_ids))

    def clear(self, before: str = "") -> tuple[str, int]:
        """Cancel one chunk of pending jobs. Gives what to pass as ``before`` next, "" at the end, and how many."""
        return self.run(calls.clear(before))

    def dlq_retry(self, job_ids: Sequence[str]) -> list[str]:
        """Put dead jobs back. Gives for each "retried", "missing", or the state it stays in."""
        return self.run(calls.dlq_retry(job_ids))

    def delete(self, state: JobState, job_ids: Sequence[str]) -> list[str]:
        """Remove those jobs that are in ``state``. Gives their ids."""
        return self.run(calls.delete(state, job_ids))

    def prune(self) -> list[str]:
        """Remove one chunk of finished jobs that are past their retention. Gives their ids."""
        return self.run(calls.prune())

    def job(self, job_id: str) -> Job | None:
        """One job by its full id; `RecordInvalid` when its hash is no job."""
        flat = self._one(("HGETALL", self.keys.job(job_id)))
        return codec.job_from(job_id, codec.mapping(flat)) if flat else None

    def page(self, states: Sequence[JobState], limit: int, after: str = "") -> calls.Page:
        """Up to ``limit`` jobs in these states, after the cursor that a page gave.

        First those that run, by id; then those that wait for a retry, the soonest first; then all others, the
        latest change first, or, when all others are pending, the longest waiting first. Pages that follow each
        other hold every job that does not change its state meanwhile, and hold it once.
        """
        return self.run(calls.page(states, limit, after))

    def find(self, prefix: str, limit: int = 20) -> list[str]:
        """Ids that begin with ``prefix`` (at least 4 characters), at most ``limit``."""
        return self.run(calls.find(prefix, limit))

    def watch(self, job_id: str) -> str:
        """Have the job's end published. Gives its state now, "" when there is no such job."""
        return self.run(calls.watch(job_id))

    def exist(self, job_ids: Sequence[str]) -> list[bool]:
        """Whether each of these jobs is known."""
        replies = self.exchange([("EXISTS", self.keys.job(job_id)) for job_id in job_ids])
        return [reply == 1 for reply in replies]

    def fsck_jobs(self, job_ids: Sequence[str], *, repair: bool) -> list[tuple[str, str, bool]]:
        """Check jobs, and repair them if asked to. Gives id, problem, and whether it can be repaired."""
        return self.run(calls.fsck_jobs(job_ids, repair))

    def fsck_hints(self, state: JobState, job_ids: Sequence[str], before: str, *, repair: bool) -> list[str]:
        """Which of these jobs, not found in their list, were pending or dead ``before``; put there if asked to."""
        return self.run(calls.fsck_hints(state, job_ids, before, repair))

    def time(self) -> str:
        """The server's clock, in seconds."""
        seconds, microseconds = self._one(("TIME",))
        return f"{int(seconds)}.{int(microseconds):06d}"

    # Workers --------------------------------------------------------------------------------------

    def heartbeat(
        self,
        runner: str,
        host: str,
        pid: int,
        *,
        lease_seconds: float,
        life_seconds: int,
        workers: Sequence[calls.WorkerState],
        waiting: Sequence[Lease] = (),
    ) -> calls.Pulse:
        """Renew a runner's leases and record its workers."""
        return self.run(
            calls.heartbeat(
                runner,
                host,
                pid,
                lease_seconds=lease_seconds,
                life_seconds=life_seconds,
                workers=workers,
                waiting=waiting,
            )
        )

    def retire(self, runner: str, workers: Sequence[str]) -> None:
        """Forget a runner."""
        self.run(calls.retire(runner, workers))

    def recover(self, dead_runners: Sequence[str]) -> int:
        """Free all leases of runners known to be dead. Gives how many."""
        skip, total = 0, 0
        while skip >= 0:
            skip, freed = self.run(calls.recover(dead_runners, skip))
            total += freed
        return total

    def overview(self) -> calls.Overview:
        """Counts of all states, names of live workers, the stop signal."""
        return self.run(calls.overview())

    def activity(self) -> calls.Activity:
        """Since when the oldest pending job is so, and how many jobs finished lately."""
        now = float(self.time())
        since = f"{now - calls.ACTIVITY_SECONDS:.6f}"
        ended = [self.keys.index(state.value) for state in (JobState.COMPLETED, JobState.DEAD)]
        first = ("ZRANGEBYSCORE", since, "+inf", "WITHSCORES", "LIMIT", 0, 1)
        oldest, *found = self.exchange(
            [
                ("ZRANGE", self.keys.index(JobState.PENDING.value), 0, 0, "WITHSCORES"),
                *[("ZCOUNT", key, since, "+inf") for key in ended],
                *[(first[0], key, *first[1:]) for key in ended],
            ]
        )
        counts, firsts = found[: len(ended)], found[len(ended) :]
        moments = [float(each[1]) for each in firsts if each]
        return calls.Activity(now, float(oldest[1]) if oldest else None, sum(counts), min(moments, default=None))

    def awaits_anything(self) -> bool:
        """Whether any client of this server, in whatever namespace, waits for work or messages."""
        return b"blocked_clients:0\r\n" not in self._one(("INFO", "clients"))

    def lacks_append_only_file(self) -> bool:
        """Whether the server says that it writes none; False where it may not be asked, or does not tell."""
        (info,) = self.exchange([("INFO", "persistence")], raise_errors=False)
        return isinstance(info, bytes) and b"aof_enabled:0\r\n" in info

    def workers(self, names: Sequence[str]) -> list[WorkerInfo]:
        """What these workers do; those that are gone are left out, and records that something else wrote."""
        found = []
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            commands = [("HGETALL", self.keys.worker(name)) for name in chunk]
            for name, flat in zip(chunk, self.exchange(commands, raise_errors=False), strict=True):
                if flat and not isinstance(flat, Exception):
                    with suppress(RecordInvalid):
                        found.append(codec.worker_from(name, codec.mapping(flat)))
        return found

    def stop(self) -> int:
        """Tell all workers to finish and to end. Gives how many were told."""
        return self.run(calls.stop())

    def resume(self) -> bool:
        """Take the stop signal back. Gives whether it was set."""
        return self.run(calls.resume())

    # Configuration --------------------------------------------------------------------------------

    def config(self) -> dict[str, str]:
        """The fields of the config hash."""
        fields = codec.mapping(self._one(("HGETALL", self.keys.config)))
        return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in fields.items()}

    def set_config(self, values: Mapping[str, str]) -> None:
        """Set fields of the config hash."""
        self._one(("HSET", self.keys.config, *(part for pair in values.items() for part in pair)))

    def reset_config(self) -> None:
        """Remove the config hash, so that the defaults hold again."""
        self._one(("DEL", self.keys.config))
