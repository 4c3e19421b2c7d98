"""Cancelling one job, whatever it is doing; clearing all waiting jobs."""

from __future__ import annotations

import pytest

from queuectl.manager.queue_manager import QueueManager
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import CANCELLED, COMPLETED, DEAD, HANDED_BACK, RETRY
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs
from queuectl.storage.calls.workers import WorkerState, overview
from steps import (
    EXPIRED,
    add,
    add_one,
    beat,
    claim,
    complete,
    fail,
    fields_of,
    finish,
    ids_in,
    key,
    make_dead,
    queue_of,
    status_of,
)


def test_a_pending_job_is_cancelled_at_once(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    assert storage.run(jobs.cancel([job_id])) == ["cancelled"]
    job = reads.job(storage, job_id)
    assert job is not None
    assert (job.state, job.reason, job.attempts) == (JobState.CANCELLED, "cancelled", 0)
    assert job.finished_at is not None
    assert ids_in(storage, "idx:cancelled") == [job_id]
    assert ids_in(storage, "idx:pending") == []
    assert claim(storage) == []


def test_so_is_one_that_waits_for_its_next_attempt(storage: RedisStorage) -> None:
    (job_id,) = fail(storage)
    assert storage.run(jobs.cancel([job_id])) == ["cancelled"]
    assert ids_in(storage, "retry_queue") == []
    assert "next_retry_at" not in fields_of(storage, job_id)


def test_a_running_job_is_ended_by_its_worker(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage, runner="pool-3")
    assert storage.run(jobs.cancel([job_id])) == ["requested"]
    assert status_of(storage, job_id) is JobState.PROCESSING
    control = storage.keys.control("pool-3")
    assert storage.r.lrange(control, 0, -1) == [f"cancel {job_id} 1"]
    assert 0 < storage.r.ttl(control) <= 3600
    assert finish(storage, lease, CANCELLED) == "cancelled"


def test_a_worker_that_missed_the_message_hears_of_it_by_its_heartbeat(storage: RedisStorage) -> None:
    add(storage, 2)
    running, waiting = claim(storage, 2)
    storage.run(jobs.cancel([running.job_id, waiting.job_id]))
    worker = WorkerState("pool.1", "busy", running.job_id, running.fence)
    assert beat(storage, worker, waiting=[waiting]).cancelled == [
        (running.job_id, running.fence),
        (waiting.job_id, waiting.fence),
    ]


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(RETRY, "cancelled"), (HANDED_BACK, "cancelled"), (DEAD, "cancelled"), (COMPLETED, "completed")],
)
def test_a_job_that_is_to_be_cancelled_never_runs_again(storage: RedisStorage, verdict: str, state: str) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    storage.run(jobs.cancel([job_id]))
    assert finish(storage, lease, verdict) == state
    assert status_of(storage, job_id) == state
    assert claim(storage) == []
    assert ids_in(storage, "running") == []


def test_not_even_if_its_worker_dies(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    claim(storage, lease_seconds=EXPIRED)
    storage.run(jobs.cancel([job_id]))
    assert claim(storage) == []
    assert status_of(storage, job_id) is JobState.CANCELLED


def test_a_final_job_stays_what_it_is(storage: RedisStorage) -> None:
    (done,), (dead,) = complete(storage), make_dead(storage)
    cancelled = add_one(storage)
    storage.run(jobs.cancel([cancelled]))
    assert storage.run(jobs.cancel([done, dead, cancelled, "feedfeed"])) == [
        "completed",
        "dead",
        "cancelled",
        "missing",
    ]
    assert status_of(storage, done) is JobState.COMPLETED
    assert status_of(storage, dead) is JobState.DEAD
    assert reads.exist(storage, ["feedfeed"]) == [False]


def test_clear_cancels_what_is_pending_and_nothing_else(storage: RedisStorage) -> None:
    (done,), (failed,), (dead,) = complete(storage), fail(storage), make_dead(storage)
    running = add_one(storage)
    claim(storage)
    pending = add(storage, 3)
    assert QueueManager(storage).clear() == 3
    assert [status_of(storage, job_id) for job_id in pending] == [JobState.CANCELLED] * 3
    assert [status_of(storage, job_id) for job_id in (done, failed, dead, running)] == [
        *(JobState.COMPLETED, JobState.FAILED, JobState.DEAD, JobState.PROCESSING)
    ]
    assert fields_of(storage, pending[0])["cause"] == b"cleared"


def test_clear_leaves_no_hints_behind(storage: RedisStorage) -> None:
    add(storage, 3)
    QueueManager(storage).clear()
    assert queue_of(storage) == []
    assert QueueManager(storage).clear() == 0


def test_clear_goes_in_chunks(storage: RedisStorage) -> None:
    add(storage, 1_200)
    counts, before = [], ""
    for _ in range(3):
        before, count = storage.run(jobs.clear(before))
        counts.append(count)
    assert counts == [500, 500, 200]
    assert storage.run(overview()).jobs[JobState.CANCELLED] == 1_200


def test_jobs_that_come_while_it_clears_are_kept(storage: RedisStorage) -> None:
    old = add(storage, 600)
    before, _ = storage.run(jobs.clear())
    new = add(storage, 5)
    assert storage.run(jobs.clear(before))[1] == 100
    assert [status_of(storage, job_id) for job_id in new] == [JobState.PENDING] * 5
    assert [lease.job_id for _ in range(5) for lease in claim(storage, 9)] == new
    assert status_of(storage, old[-1]) is JobState.CANCELLED


def test_a_watched_job_that_is_cancelled_says_so(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    storage.run(jobs.watch(job_id))
    with storage.r.pubsub(ignore_subscribe_messages=True) as channel:
        channel.ssubscribe(storage.keys.done(job_id))
        channel.get_message(timeout=1)
        storage.run(jobs.cancel([job_id]))
        message = channel.get_message(timeout=20)
    assert message is not None
    assert message["data"] == "cancelled"
    assert key(storage, f"done:{job_id}") == storage.keys.done(job_id)
