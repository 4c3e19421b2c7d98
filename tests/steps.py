"""The steps of a job's life, one line each, so that tests read like stories."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from queuectl.model.job import Lease, Running
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import COMPLETED, DEAD, RETRY, Outcome
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs
from queuectl.storage.calls import leases as calls
from queuectl.storage.calls.jobs import NewJob, enqueue
from queuectl.storage.calls.leases import Claim
from queuectl.storage.calls.workers import Pulse, WorkerState, heartbeat
from queuectl.storage.codec import mapping
from queuectl.storage.scripts import CHUNK, Call, source

SCHEMA = int(re.search(rb"LAYOUT = (\d+)", source("enqueue"))[1])  # type: ignore[index]
"""The version of the layout that the scripts write."""

LONG = 1_000.0
"""Seconds that no test lasts."""

EXPIRED = -1.0
"""A lease that has ended when it begins."""


def new_ids(count: int) -> list[str]:
    return [os.urandom(8).hex() for _ in range(count)]


def add(
    storage: RedisStorage,
    count: int = 1,
    command: bytes = b"true",
    variables: Mapping[bytes, bytes] | None = None,
    **options: str,
) -> list[str]:
    """Enqueue; gives the new ids, the oldest first."""
    ids = new_ids(count)
    for start in range(0, count, CHUNK):
        add_as(storage, ids[start : start + CHUNK], command, variables, **options)
    return ids


def add_one(storage: RedisStorage, command: bytes = b"true", **options: str) -> str:
    return add(storage, 1, command, **options)[0]


def add_as(
    storage: RedisStorage,
    ids: Iterable[str],
    command: bytes = b"true",
    variables: Mapping[bytes, bytes] | None = None,
    **options: str,
) -> None:
    """Enqueue under given ids."""
    jobs = [NewJob(job_id, command) for job_id in ids]
    assert not storage.run(enqueue(jobs, shared=options, variables=variables))


def claim(
    storage: RedisStorage, want: int = 1, *, runner: str = "pool", lease_seconds: float = LONG
) -> list[Lease]:
    """Claim as a worker does; gives the leases."""
    return look(storage, want, runner=runner, lease_seconds=lease_seconds).leases


def look(storage: RedisStorage, want: int = 1, *, runner: str = "pool", lease_seconds: float = LONG) -> Claim:
    """Claim; gives the whole answer."""
    return storage.run(calls.claim(runner, lease_seconds=lease_seconds, want=want))


def finish(
    storage: RedisStorage,
    lease: Lease,
    verdict: str = COMPLETED,
    *,
    exit_code: int | None = 0,
    cause: str = "",
    detail: str = "",
    duration: float = 0.0,
    delay: float = 0.0,
) -> str:
    """Report on one lease; gives the job's state now, or "stale"."""
    outcome = Outcome(verdict, exit_code, cause, detail, duration, delay)
    (state,) = storage.run(calls.finish(runner_of(lease), [(lease, outcome, "pool.1")]))
    return state


def runner_of(lease: Lease) -> str:
    """The runner that claimed it."""
    job = getattr(lease, "job", None)  # a lease of an invalid job has none
    return job.standing.worker if job and isinstance(job.standing, Running) else "pool"


def finish_all(storage: RedisStorage, leases: Sequence[Lease], verdict: str, delay: float = 0.0) -> list[str]:
    """Report the same on many leases, in calls of at most 500."""
    states: list[str] = []
    for start in range(0, len(leases), CHUNK):
        chunk = leases[start : start + CHUNK]
        results = [(lease, Outcome(verdict, 1, "exit:1", delay=delay), "pool.1") for lease in chunk]
        states += storage.run(calls.finish(runner_of(chunk[0]), results))
    return states


def run(storage: RedisStorage, count: int = 1, verdict: str = COMPLETED, delay: float = 0.0) -> list[str]:
    """Enqueue, claim and finish new jobs; gives their ids."""
    assert not ids_in(storage, "idx:pending"), "in a queue with other jobs these would not be the next"
    ids = add(storage, count)
    leases = [lease for _ in range(0, count, CHUNK) for lease in claim(storage, min(count, CHUNK))]
    assert sorted(lease.job_id for lease in leases) == sorted(ids)
    finish_all(storage, leases, verdict, delay)
    return ids


def complete(storage: RedisStorage, count: int = 1) -> list[str]:
    return run(storage, count, COMPLETED)


def make_dead(storage: RedisStorage, count: int = 1) -> list[str]:
    """New jobs in the dead letter queue."""
    return run(storage, count, DEAD)


def fail(storage: RedisStorage, count: int = 1, delay: float = LONG) -> list[str]:
    """New jobs that wait for their next attempt."""
    return run(storage, count, RETRY, delay)


def beat(
    storage: RedisStorage,
    *workers: WorkerState,
    runner: str = "pool",
    lease_seconds: float = LONG,
    life_seconds: int = 60,
    waiting: Sequence[Lease] = (),
) -> Pulse:
    """One heartbeat."""
    pulse = storage.run(
        heartbeat(
            runner,
            "host",
            4711,
            lease_seconds=lease_seconds,
            life_seconds=life_seconds,
            workers=workers,
            waiting=waiting,
        )
    )
    if lease_seconds <= 0:
        storage.r.delete(key(storage, "pulse"))  # a silence of less than no time would be unusual at once
    return pulse


def recover(storage: RedisStorage, dead_runners: Sequence[str]) -> int:
    """Free all leases of dead runners; gives how many."""
    skip, total = storage.run(calls.recover(dead_runners))
    while skip >= 0:
        skip, freed = storage.run(calls.recover(dead_runners, skip))
        total += freed
    return total


def prune(storage: RedisStorage, **changes: float) -> list[str]:
    """One call of prune with the built-in retention, or with these ``changes`` of it."""
    call = jobs.prune()
    arguments = list(call.arguments)
    for name, value in changes.items():
        arguments[arguments.index(name) + 1] = value
    return storage.run(Call("prune", tuple(arguments), call.shape, call.parse))


def status_of(storage: RedisStorage, job_id: str) -> JobState:
    job = reads.job(storage, job_id)
    assert job is not None, f"job {job_id} is gone"
    return job.state


def fields_of(storage: RedisStorage, job_id: str) -> dict[str, bytes]:
    """The raw hash of a job."""
    (flat,) = storage.exchange([("HGETALL", storage.keys.job(job_id))])
    return {name.decode(): value for name, value in mapping(flat).items()}


def key(storage: RedisStorage, name: str) -> str:
    """The full name of a key."""
    return f"{storage.keys.namespace}:{name}"


def queue_of(storage: RedisStorage) -> list[str]:
    """The list of the queue, what is taken next first."""
    return list(reversed(storage.r.lrange(key(storage, "jobs"), 0, -1)))


def ids_in(storage: RedisStorage, index: str) -> list[str]:
    """The members of a sorted set, lowest score first."""
    return list(storage.r.zrange(key(storage, index), 0, -1))


def now(storage: RedisStorage) -> float:
    """The server's clock."""
    seconds, microseconds = storage.r.time()
    return float(seconds + microseconds / 1e6)
