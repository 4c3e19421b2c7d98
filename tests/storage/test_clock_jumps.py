"""The server's clock jumps: no job that runs is run again, and none waits for the time of the old clock.

A clock that jumps ahead is the same as stored times that move back, so the tests move these.
"""

from __future__ import annotations

import pytest

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import WorkerState, overview
from steps import LONG, add, beat, claim, fail, ids_in, key, look, now, status_of

HOUR = 3_600.0
LEASE = 30.0


def jump(storage: RedisStorage, seconds: float) -> None:
    """Let the server's clock jump, as the scripts see it."""
    for name in ("running", "retry_queue", "workers", "runners"):
        for member, score in storage.r.zrange(key(storage, name), 0, -1, withscores=True):
            storage.r.zadd(key(storage, name), {member: score - seconds})
    at, interval = storage.r.get(key(storage, "pulse")).split()
    storage.r.set(key(storage, "pulse"), f"{float(at) - seconds:.6f} {interval}")


def lease_of(storage: RedisStorage, job_id: str) -> float:
    """Return for how long the lease of a job lasts from now on."""
    return float(storage.r.zscore(key(storage, "running"), job_id) - now(storage))


@pytest.fixture
def running(storage: RedisStorage) -> str:
    """A job that runs under a healthy runner."""
    add(storage)
    (lease,) = claim(storage, runner="healthy", lease_seconds=LEASE)
    worker = WorkerState("healthy-1", "busy", lease.job_id, lease.fence)
    beat(storage, worker, runner="healthy", lease_seconds=LEASE)
    return lease.job_id


def test_a_claim_after_a_jump_ahead_frees_no_lease(storage: RedisStorage, running: str) -> None:
    jump(storage, HOUR)
    answer = look(storage, runner="other")
    assert answer.leases == []
    assert status_of(storage, running) is JobState.PROCESSING
    assert answer.next_due is not None
    assert answer.next_due >= 0.9, "the runner does not ask again at once"


def test_nor_does_the_heartbeat_of_another_runner(storage: RedisStorage, running: str) -> None:
    jump(storage, HOUR)
    beat(storage, runner="other", lease_seconds=LEASE)
    assert status_of(storage, running) is JobState.PROCESSING
    assert LEASE / 2 < lease_of(storage, running) <= LEASE
    assert "healthy-1" in storage.run(overview()).workers


def test_a_lease_that_had_ended_before_is_freed(storage: RedisStorage, running: str) -> None:
    storage.r.zadd(key(storage, "running"), {running: now(storage) - 1})
    jump(storage, HOUR)
    beat(storage, runner="other", lease_seconds=LEASE)
    assert status_of(storage, running) is JobState.PENDING


def test_after_a_jump_ahead_a_dead_runner_loses_its_lease_in_time(storage: RedisStorage, running: str) -> None:
    jump(storage, HOUR)
    beat(storage, runner="other", lease_seconds=LEASE)
    storage.r.zadd(key(storage, "running"), {running: now(storage) - 1})
    beat(storage, runner="other", lease_seconds=LEASE)
    assert status_of(storage, running) is JobState.PENDING


def test_a_jump_shorter_than_the_usual_silence_ends_no_lease(storage: RedisStorage, running: str) -> None:
    jump(storage, LEASE * 0.49)
    claim(storage, runner="other")
    assert status_of(storage, running) is JobState.PROCESSING


def test_a_silence_is_measured_by_the_runner_that_is_heard_most_often(storage: RedisStorage) -> None:
    add(storage)
    (lease,) = claim(storage, runner="quick", lease_seconds=3)
    beat(storage, WorkerState("quick-1", "busy", lease.job_id, lease.fence), runner="quick", lease_seconds=3)
    beat(storage, runner="slow", lease_seconds=LONG)
    jump(storage, 10)
    claim(storage, runner="slow")
    assert status_of(storage, lease.job_id) is JobState.PROCESSING


def test_the_measure_is_the_slow_ones_again_once_the_quick_one_is_gone(storage: RedisStorage) -> None:
    beat(storage, runner="quick", lease_seconds=3)
    beat(storage, runner="slow", lease_seconds=LONG)
    jump(storage, 10)
    beat(storage, runner="slow", lease_seconds=LONG)
    assert storage.r.get(key(storage, "pulse")).split()[1] == str(LONG * 3 / 4).removesuffix(".0")


def test_after_a_jump_back_leases_and_retries_follow(storage: RedisStorage, running: str) -> None:
    (failed,) = fail(storage, delay=20)
    jump(storage, -HOUR)
    beat(storage, runner="other", lease_seconds=LEASE)
    assert LEASE / 2 < lease_of(storage, running) <= LEASE + 1
    assert storage.r.zscore(key(storage, "retry_queue"), failed) - now(storage) <= 21
    assert max(storage.r.zscore(key(storage, name), member) - now(storage)
               for name in ("runners", "workers") for member in ids_in(storage, name)) <= 61  # fmt: skip


def test_a_jump_back_leaves_what_the_new_clock_has_written(storage: RedisStorage, running: str) -> None:
    jump(storage, -HOUR)
    (failed,) = fail(storage, delay=20)
    beat(storage, runner="other", lease_seconds=LEASE)
    assert 10 < storage.r.zscore(key(storage, "retry_queue"), failed) - now(storage) <= 20


def test_many_leases_are_moved_in_one_go(storage: RedisStorage, running: str) -> None:
    storage.r.zadd(key(storage, "retry_queue"), {f"{number:08x}": now(storage) + 10 for number in range(2_500)})
    jump(storage, -HOUR)
    beat(storage, runner="other", lease_seconds=LEASE)
    assert storage.r.zcount(key(storage, "retry_queue"), now(storage) + 60, "+inf") == 0
    assert storage.r.zcard(key(storage, "retry_queue")) == 2_500
