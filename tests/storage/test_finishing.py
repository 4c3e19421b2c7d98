"""How an attempt ends: what each verdict does to the job."""

from __future__ import annotations

import pytest

from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import CANCELLED, COMPLETED, CRASHED, DEAD, HANDED_BACK, RETRY, Outcome
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs
from queuectl.storage.calls import leases as calls
from queuectl.storage.calls.leases import Invalid
from steps import (
    add,
    add_one,
    claim,
    fail,
    fields_of,
    finish,
    ids_in,
    key,
    now,
    queue_of,
)
from waiting import wait_until


def test_completed(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    assert finish(storage, lease, COMPLETED, duration=20) == "completed"
    job = reads.job(storage, job_id)
    assert job is not None
    assert job.state is JobState.COMPLETED
    assert job.exit_code == 0
    assert job.attempts == 1
    assert job.last is not None
    assert job.last.worker == "pool.1"
    assert job.finished_at is not None
    assert job.last.started_at == pytest.approx(job.finished_at - 20, abs=1e-3)
    assert ids_in(storage, "idx:completed") == [job_id]
    assert ids_in(storage, "running") == []


def test_failed_with_another_attempt_to_come(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    assert finish(storage, lease, RETRY, exit_code=2, cause="exit:2", delay=100) == "failed"
    job = reads.job(storage, job_id)
    assert job is not None
    assert (job.state, job.exit_code, job.reason, job.attempts) == (JobState.FAILED, 2, "exit code 2", 1)
    assert job.finished_at is None
    assert job.next_retry_at is not None
    assert 50 < job.next_retry_at - now(storage) <= 100
    assert storage.r.zscore(key(storage, "retry_queue"), job_id) == pytest.approx(job.next_retry_at)
    assert ids_in(storage, "running") == []


def test_failed_for_good(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    assert finish(storage, lease, DEAD, exit_code=127, cause="start", detail="not found") == "dead"
    job = reads.job(storage, job_id)
    assert job is not None
    assert (job.state, job.exit_code, job.reason) == (JobState.DEAD, 127, "not found")
    assert storage.r.lrange(key(storage, "dead_letter"), 0, -1) == [job_id]
    assert ids_in(storage, "idx:dead") == [job_id]
    assert ids_in(storage, "running") == []


def test_cancelled_by_its_worker(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    assert finish(storage, lease, CANCELLED, exit_code=None, cause="cancelled") == "cancelled"
    assert fields_of(storage, job_id)["exit_code"] == b""
    job = reads.job(storage, job_id)
    assert job is not None
    assert job.exit_code is None
    assert ids_in(storage, "idx:cancelled") == [job_id]
    assert ids_in(storage, "running") == []


def test_handed_back_goes_to_the_front_and_counts_nothing(storage: RedisStorage) -> None:
    first, second = add(storage, 2)
    (lease,) = claim(storage)
    storage.r.delete(storage.keys.wake)
    assert finish(storage, lease, HANDED_BACK) == "pending"
    job = reads.job(storage, first)
    assert job is not None
    assert (job.attempts, job.crashes) == (0, 0)
    assert queue_of(storage) == [first, second]
    assert storage.r.llen(storage.keys.wake) == 1
    assert claim(storage)[0].fence == 2


def test_a_crash_is_counted_apart_from_attempts(storage: RedisStorage) -> None:
    first, second = add(storage, 2)
    (lease,) = claim(storage)
    assert finish(storage, lease, CRASHED) == "pending"
    job = reads.job(storage, first)
    assert job is not None
    assert (job.attempts, job.crashes) == (0, 1)
    assert job.reason == "its worker died (1 time)"
    assert queue_of(storage) == [first, second]


def test_a_batch_is_answered_in_its_order(storage: RedisStorage) -> None:
    add(storage, 5)
    leases = claim(storage, 5)
    verdicts = [DEAD, RETRY, COMPLETED, HANDED_BACK, CANCELLED]
    results = [(lease, Outcome(verdict, delay=100), "w") for lease, verdict in zip(leases, verdicts, strict=True)]
    assert storage.run(calls.finish("pool", results)) == ["dead", "failed", "completed", "pending", "cancelled"]
    assert storage.run(calls.finish("pool", results)) == ["stale"] * 5
    assert ids_in(storage, "running") == []


def test_one_lease_ends_once(storage: RedisStorage) -> None:
    add(storage)
    (lease,) = claim(storage)
    result = (lease, Outcome(COMPLETED, 0), "w")
    assert storage.run(calls.finish("pool", [result, result])) == ["completed", "stale"]
    job = reads.job(storage, lease.job_id)
    assert job is not None
    assert job.attempts == 1


@pytest.mark.parametrize("verdict", [COMPLETED, RETRY, DEAD, CANCELLED, HANDED_BACK, CRASHED])
def test_a_removed_job_takes_no_result(storage: RedisStorage, verdict: str) -> None:
    assert finish(storage, Invalid("feedfeed", 1, ""), verdict) == "stale"  # type: ignore[arg-type]
    assert reads.exist(storage, ["feedfeed"]) == [False]


@pytest.mark.parametrize("verdict", [COMPLETED, DEAD, CANCELLED])
def test_the_end_of_a_watched_job_is_published(storage: RedisStorage, verdict: str) -> None:
    job_id = add_one(storage)
    assert storage.run(jobs.watch(job_id)) == "pending"
    (lease,) = claim(storage)
    with storage.r.pubsub(ignore_subscribe_messages=True) as channel:
        channel.ssubscribe(storage.keys.done(job_id))
        channel.get_message(timeout=1)  # the answer to the subscription
        finish(storage, lease, verdict)
        message = wait_until(lambda: channel.get_message(timeout=1))
    assert message["data"] == verdict


def test_a_failure_that_is_tried_again_is_published_too(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    storage.run(jobs.watch(job_id))
    with storage.r.pubsub(ignore_subscribe_messages=True) as channel:
        channel.ssubscribe(storage.keys.done(job_id))
        channel.get_message(timeout=1)
        finish(storage, claim(storage)[0], RETRY)
        finish(storage, claim(storage)[0], DEAD)
        said = [wait_until(lambda: channel.get_message(timeout=1))["data"] for _ in range(2)]
    assert said == ["failed", "dead"]


def test_an_unknown_job_is_not_watched(storage: RedisStorage) -> None:
    assert storage.run(jobs.watch("feedfeed")) == ""
    assert reads.exist(storage, ["feedfeed"]) == [False]


def test_a_lease_of_another_runner_takes_no_result(storage: RedisStorage) -> None:
    """A replica that missed a claim and took over gives the same fence again, to another runner."""
    add(storage)
    (lease,) = claim(storage, runner="lost")
    storage.r.hset(storage.keys.job(lease.job_id), "owner", "newer")
    result = (lease, Outcome(DEAD, 1, "exit:1"), "lost-1")
    assert storage.run(calls.finish("lost", [result])) == ["stale"]
    assert storage.run(calls.finish("newer", [(lease, Outcome(COMPLETED, 0), "newer-1")])) == ["completed"]


def test_a_crash_leaves_no_exit_code_of_an_earlier_attempt(storage: RedisStorage) -> None:
    fail(storage, delay=0)
    (lease,) = claim(storage)
    assert finish(storage, lease, CRASHED) == "pending"
    job = reads.job(storage, lease.job_id)
    assert job is not None
    assert job.last is not None
    assert (job.last.exit_code, job.last.cause) == (None, "crash")


@pytest.mark.parametrize("verdict", [CANCELLED, RETRY, DEAD])
def test_a_cancelled_job_says_so_whatever_its_command_ended_with(storage: RedisStorage, verdict: str) -> None:
    add(storage)
    (lease,) = claim(storage)
    storage.run(jobs.cancel([lease.job_id]))
    assert finish(storage, lease, verdict, exit_code=143, cause="exit:143", detail="terminated") == "cancelled"
    fields = fields_of(storage, lease.job_id)
    assert (fields["cause"], fields["exit_code"], fields["detail"]) == (b"cancelled", b"143", b"")
    assert "cancel_requested" not in fields
