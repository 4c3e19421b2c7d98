"""`RedisStorage`: every operation on the queue's state, each one atomic script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from queuectl import settings as local_settings
from queuectl.errors import QueuectlError
from queuectl.model.job import Job, Outcome
from queuectl.model.lifecycle import JobState
from queuectl.model.worker import WorkerInfo
from queuectl.storage import calls, codec
from queuectl.storage.keys import Keys
from queuectl.storage.open import open_connection, server_url
from queuectl.storage.replies import error_from, newer_schema
from queuectl.storage.scripts import Argument, Call, Command, command

if TYPE_CHECKING:
    import redis

    from queuectl.settings import Settings

T = TypeVar("T")


class Client(Protocol):
    """What the storage needs of a connection: commands out, replies back, errors as values."""

    def exchange(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Send all, then read one reply for each."""

    def close(self) -> None:
        """Give the connection up."""


class RedisStorage:
    """The queue's state in one namespace of one server.

    With no arguments it is the server of the settings (`QUEUECTL_REDIS_URL`, the configuration file, else
    the embedded one, started if need be). The connection is made at the first call, and again after one was
    lost. Methods raise `ServerUnreachable`, `ServerRefused` or `BadConfiguration`.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        namespace: str | None = None,
        *,
        settings: Settings | None = None,
        client: Client | None = None,
    ) -> None:
        self.settings = settings or local_settings.load(redis_url=redis_url, namespace=namespace)
        self.keys = Keys(self.settings.namespace)
        self._client = client
        self._given = client is not None
        self._known: set[str] = set()
        self._redis: redis.Redis | None = None

    @property
    def r(self) -> redis.Redis:
        """A redis-py client of the same server, with decoded responses; made on first use."""
        if self._redis is None:
            from queuectl.storage.redis_py import connect

            self.exchange([("PING",)])  # starts the embedded server
            self._redis = connect(server_url(self.settings), decode_responses=True)
        return self._redis

    def close(self) -> None:
        """Close the connections; the next call opens a new one."""
        if self._client is not None and not self._given:
            self._client.close()
            self._client = None
        if self._redis is not None:
            self._redis.close()
            self._redis = None

    # Jobs -----------------------------------------------------------------------------------------

    def enqueue(
        self,
        jobs: Sequence[tuple[str, bytes]],
        *,
        defaults: Mapping[str, float],
        options: Mapping[str, str | bytes],
        variables: Mapping[bytes, bytes] | None = None,
    ) -> str:
        """Add ``(id, command)`` pairs, at most `calls.CHUNK`, all or none.

        ``defaults`` are used where neither ``options`` nor the config hash has a value. ``variables`` are
        added to each job's environment. Gives "" or, when an id is taken and nothing was added, that id.
        """
        reply = self.run(calls.enqueue(jobs, defaults=defaults, options=options, variables=variables or {}))
        if reply[0] == b"newer":
            raise newer_schema(reply[1].decode("utf-8", "replace"))
        return reply[1].decode() if reply[0] == b"exists" else ""

    def claim(self, runner: str, host: str, *, lease_seconds: float, want: int) -> calls.Claim:
        """Lease up to ``want`` of the oldest pending jobs."""
        return self.run(calls.claim(runner, host, lease_seconds, want))

    def finish(self, results: Sequence[tuple[codec.Lease | calls.Spoiled, Outcome, str]]) -> list[str]:
        """End leases: ``(lease, outcome, worker)`` each. Gives each job's state, or "stale"."""
        return self.run(calls.finish(results))

    def cancel(self, job_ids: Sequence[str], reason: str = "cancelled") -> list[str]:
        """Cancel jobs. Gives for each "cancelled", "requested" (it runs), "missing", or its final state."""
        return self.run(calls.cancel(job_ids, reason))

    def clear(self, before: str = "", reason: str = "cleared") -> tuple[str, int]:
        """Cancel one chunk of pending jobs. Gives what to pass as ``before`` next, and how many there were."""
        return self.run(calls.clear(before, reason))

    def dlq_retry(self, job_ids: Sequence[str]) -> list[str]:
        """Put dead jobs back. Gives for each "pending", "missing", or the state it stays in."""
        return self.run(calls.dlq_retry(job_ids))

    def delete(self, state: JobState, job_ids: Sequence[str]) -> list[str]:
        """Remove those jobs that are in ``state``. Gives their ids."""
        return self.run(calls.delete(state, job_ids))

    def prune(self, defaults: Mapping[str, float]) -> list[str]:
        """Remove one chunk of finished jobs that are past their retention. Gives their ids."""
        return self.run(calls.prune(defaults))

    def job(self, job_id: str) -> Job | None:
        """One job by its full id; `RecordInvalid` when its hash is no job."""
        flat = self._one(("HGETALL", self.keys.job(job_id)))
        return codec.job_from(job_id, codec.mapping(flat)) if flat else None

    def page(self, states: Sequence[JobState], limit: int, after: calls.Position | None = None) -> calls.Page:
        """Up to ``limit`` jobs in these states, those that changed last first."""
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
        waiting: Sequence[codec.Lease] = (),
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

    def workers(self, names: Sequence[str]) -> list[WorkerInfo]:
        """What these workers do; those that are gone are left out."""
        found = []
        for start in range(0, len(names), calls.CHUNK):
            chunk = names[start : start + calls.CHUNK]
            replies = self.exchange([("HGETALL", self.keys.worker(name)) for name in chunk])
            found += [
                codec.worker_from(name, codec.mapping(flat))
                for name, flat in zip(chunk, replies, strict=True)
                if flat
            ]
        return found

    def stop(self) -> int:
        """Tell all workers to finish and to end. Gives how many were told."""
        return self.run(calls.stop())

    def resume(self) -> bool:
        """Take the stop signal back. Gives whether it was set."""
        return bool(self._one(("DEL", self.keys.stop_signal)))

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

    # Plumbing -------------------------------------------------------------------------------------

    def run(self, call: Call[T]) -> T:
        """Run one script and wait for its reply."""
        cached = call.script in self._known
        reply = self.exchange([command(call, self.keys.namespace, cached=cached)], raise_errors=False)[0]
        if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):
            reply = self.exchange([command(call, self.keys.namespace, cached=False)], raise_errors=False)[0]
        if isinstance(reply, Exception):
            raise error_from(reply)
        self._known.add(call.script)
        return call.parse(reply)

    def exchange(self, commands: Sequence[Command], *, raise_errors: bool = True) -> list[Any]:
        """Send plain commands as one pipeline; gives their raw replies."""
        if self._client is None:
            self._client = open_connection(self.settings)
        try:
            replies = self._client.exchange(commands)
        except (QueuectlError, KeyboardInterrupt):
            self.close()
            raise
        if raise_errors:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise error_from(reply)
        return replies

    def _one(self, command: Command) -> Any:
        return self.exchange([command])[0]
