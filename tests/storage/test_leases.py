"""A worker that dies loses its lease; one that was only slow can do no more harm."""

from __future__ import annotations

import pytest

import steps
from queuectl.model.cause import in_short
from queuectl.model.lifecycle import MAX_CRASHES, JobState
from queuectl.model.outcome import COMPLETED, CRASHED, DEAD, HANDED_BACK, RETRY
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.workers import WorkerState, overview
from queuectl.storage.scripts import CHUNK
from steps import (
    EXPIRED,
    LONG,
    add,
    add_one,
    beat,
    claim,
    fields_of,
    finish,
    ids_in,
    key,
    look,
    now,
    queue_of,
    status_of,
)
from waiting import wait_until


def test_an_expired_lease_goes_to_the_next_who_asks(storage: RedisStorage) -> None:
    job_id, later = add(storage, 2)
    (old,) = claim(storage, runner="dead", lease_seconds=0.05)
    (new,) = wait_until(lambda: [lease for lease in claim(storage, runner="alive") if lease.job_id != later])
    assert new.job_id == job_id
    assert new.fence > old.fence
    job = reads.job(storage, job_id)
    assert job is not None
    assert job.run is not None
    assert (job.crashes, job.attempts, job.run.worker) == (1, 0, "alive")


def test_a_heartbeat_of_anybody_reaps_it_too(storage: RedisStorage) -> None:
    first, second = add(storage, 2)
    claim(storage, runner="dead", lease_seconds=0.05)
    storage.r.delete(storage.keys.wake)
    wait_until(lambda: beat(storage, runner="alive").pending == 2)
    assert queue_of(storage) == [first, second], "it had waited its turn"
    assert storage.r.llen(storage.keys.wake) == 1
    assert fields_of(storage, first)["cause"] == b"crash"


def test_when_a_lease_ends_is_told(storage: RedisStorage) -> None:
    add(storage)
    claim(storage, lease_seconds=100)
    due = look(storage).next_due
    assert due is not None
    assert 50 < due <= 100


def test_a_job_that_kills_its_workers_ends_in_the_dead_letter_queue(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    for crash in range(1, MAX_CRASHES + 1):
        (lease,) = claim(storage, lease_seconds=EXPIRED)
        assert lease.fence == crash
    assert claim(storage) == []
    job = reads.job(storage, job_id)
    assert job is not None
    assert (job.state, job.crashes, job.attempts) == (JobState.DEAD, MAX_CRASHES, 0)
    assert job.reason == "its worker died (5 times)"
    assert job.last is not None
    assert in_short(job.last.cause) == "worker died"
    assert storage.r.lrange(key(storage, "dead_letter"), 0, -1) == [job_id]


@pytest.mark.parametrize("verdict", [COMPLETED, RETRY, DEAD, HANDED_BACK, CRASHED])
def test_the_result_of_a_lost_lease_is_refused(storage: RedisStorage, verdict: str) -> None:
    job_id = add_one(storage)
    (old,) = claim(storage, lease_seconds=EXPIRED)
    (new,) = claim(storage)
    before = fields_of(storage, job_id)
    assert finish(storage, old, verdict, exit_code=9, cause="exit:9") == "stale"
    assert fields_of(storage, job_id) == before
    assert finish(storage, new) == "completed"


def test_a_late_result_counts_while_nobody_else_has_the_job(storage: RedisStorage) -> None:
    add(storage)
    (lease,) = claim(storage, lease_seconds=EXPIRED)
    assert finish(storage, lease) == "completed"
    assert claim(storage) == []


def test_a_heartbeat_renews_what_runs_and_what_waits(storage: RedisStorage) -> None:
    add(storage, 3)
    running, waiting, forgotten = claim(storage, 3, lease_seconds=0.1)
    pulse = beat(storage, WorkerState("pool.1", "busy", running.job_id, running.fence), waiting=[waiting])
    assert pulse.lost == []
    wait_until(lambda: now(storage) > storage.r.zscore(key(storage, "running"), forgotten.job_id))
    assert [lease.job_id for lease in claim(storage, 3)] == [forgotten.job_id]
    assert fields_of(storage, running.job_id)["worker"] == b"pool.1"


def test_a_lost_lease_is_told_and_not_renewed(storage: RedisStorage) -> None:
    add(storage)
    (old,) = claim(storage, runner="slow", lease_seconds=EXPIRED)
    (new,) = claim(storage, runner="other", lease_seconds=LONG)
    deadline = storage.r.zscore(key(storage, "running"), new.job_id)
    worker = WorkerState("slow.1", "busy", old.job_id, old.fence)
    assert beat(storage, worker, runner="slow", lease_seconds=2 * LONG).lost == [(old.job_id, old.fence)]
    assert beat(storage, runner="slow", waiting=[old], lease_seconds=2 * LONG).lost == [(old.job_id, old.fence)]
    assert storage.r.zscore(key(storage, "running"), new.job_id) == deadline
    assert "worker" not in fields_of(storage, new.job_id)


def test_a_lease_on_a_removed_job_is_lost(storage: RedisStorage) -> None:
    add(storage)
    (lease,) = claim(storage)
    storage.r.delete(storage.keys.job(lease.job_id))
    assert beat(storage, waiting=[lease]).lost == [(lease.job_id, lease.fence)]
    assert reads.exist(storage, [lease.job_id]) == [False]


def test_at_most_a_hundred_are_reaped_in_one_call(storage: RedisStorage) -> None:
    add(storage, 250)
    claim(storage, 250, lease_seconds=EXPIRED)
    left = [beat(storage) and len(ids_in(storage, "running")) for _ in range(3)]
    assert left == [150, 50, 0]


def test_leases_of_a_runner_known_to_be_dead_are_freed_at_once(storage: RedisStorage) -> None:
    mine, others = add(storage, 2)
    claim(storage, runner="dead")
    claim(storage, runner="alive")
    assert steps.recover(storage, ["dead", "never seen"]) == 1
    assert status_of(storage, mine) is JobState.PENDING
    assert fields_of(storage, mine)["crashes"] == b"1"
    assert status_of(storage, others) is JobState.PROCESSING
    assert steps.recover(storage, ["dead"]) == 0


def test_recovering_leaves_alone_what_no_longer_runs(storage: RedisStorage) -> None:
    (lease,) = add(storage) and claim(storage, runner="dead")
    assert finish(storage, lease) == "completed"
    storage.r.zadd(key(storage, "running"), {lease.job_id: 1})  # a stranger's doing
    assert steps.recover(storage, ["dead"]) == 0
    assert status_of(storage, lease.job_id) is JobState.COMPLETED


def test_recovering_goes_on_past_a_chunk(storage: RedisStorage) -> None:
    add(storage, 1_400)
    for runner in ["dead", "alive"] * 7:
        claim(storage, 100, runner=runner)
    assert len(ids_in(storage, "running")) > 2 * CHUNK
    assert steps.recover(storage, ["dead"]) == 700
    assert storage.run(overview()).jobs[JobState.PENDING] == 700
    assert storage.run(overview()).jobs[JobState.PROCESSING] == 700


def test_ids_of_no_job_leave_the_leases(storage: RedisStorage) -> None:
    storage.r.zadd(key(storage, "running"), {"feedfeed": 1, "": 1})
    assert claim(storage) == []
    assert ids_in(storage, "running") == []


def test_a_heartbeat_does_not_renew_the_lease_of_another_runner(storage: RedisStorage) -> None:
    """A replica that missed a claim and took over gives the same fence again, to another runner."""
    add(storage)
    (lease,) = claim(storage, runner="lost")
    storage.r.hset(storage.keys.job(lease.job_id), "owner", "newer")
    pulse = beat(storage, WorkerState("lost-1", "busy", lease.job_id, lease.fence), runner="lost")
    assert pulse.lost == [(lease.job_id, lease.fence)]
