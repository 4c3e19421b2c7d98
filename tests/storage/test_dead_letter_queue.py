"""The dead letter queue: how jobs get in and out."""

from __future__ import annotations

import pytest

from queuectl.errors import JobNotFound, QueuectlError
from queuectl.manager.dead_letter import DeadLetterQueue
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import DEAD
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs
from steps import (
    EXPIRED,
    add,
    add_one,
    beat,
    claim,
    complete,
    fields_of,
    finish_all,
    ids_in,
    key,
    make_dead,
    queue_of,
    status_of,
)


@pytest.fixture
def dlq(storage: RedisStorage) -> DeadLetterQueue:
    return DeadLetterQueue(storage)


def test_the_newest_are_shown_first(storage: RedisStorage, dlq: DeadLetterQueue) -> None:
    ids = [make_dead(storage)[0] for _ in range(3)]
    complete(storage)
    page = storage.run(jobs.page([JobState.DEAD], 2))
    assert [job.id for job in page.jobs] == [ids[2], ids[1]]
    assert [job.id for job in storage.run(jobs.page([JobState.DEAD], 2, page.end)).jobs] == [ids[0]]
    assert dlq.count() == 3


def test_a_retried_job_starts_afresh_with_all_its_retries(storage: RedisStorage, dlq: DeadLetterQueue) -> None:
    job_id = add_one(storage, b"sleep 1", timeout="5")
    for _ in range(4):
        (lease,) = claim(storage, lease_seconds=EXPIRED)
    finish_all(storage, [lease], DEAD)
    assert dlq.retry(job_id[:8]) == job_id
    fields = fields_of(storage, job_id)
    del fields["created_at"]
    assert fields == {
        "status": b"pending",
        "attempts": b"0",
        "command": b"sleep 1",
        "fence": b"4",
        "timeout": b"5",
        "max_retries": b"3",
        "backoff_base": b"2",
        "backoff_factor": b"2",
    }
    assert queue_of(storage) == ids_in(storage, "idx:pending") == [job_id]
    assert ids_in(storage, "idx:dead") == []
    assert storage.r.lrange(key(storage, "dead_letter"), 0, -1) == []


def test_a_request_to_cancel_it_is_over(storage: RedisStorage, dlq: DeadLetterQueue) -> None:
    (job_id,) = make_dead(storage)
    storage.r.hset(storage.keys.job(job_id), "cancel_requested", "1")
    dlq.retry(job_id)
    (lease,) = claim(storage)
    assert beat(storage, waiting=[lease]).cancelled == []


@pytest.mark.parametrize("ends", [slice(0, 5), slice(-5, None)], ids=["oldest", "newest"])
def test_those_at_both_ends_leave_even_a_long_list(
    storage: RedisStorage, dlq: DeadLetterQueue, ends: slice
) -> None:
    ids = make_dead(storage, 2_500)
    assert storage.run(jobs.dlq_retry(ids[ends])) == ["retried"] * 5
    assert sorted(storage.r.lrange(key(storage, "dead_letter"), 0, -1)) == sorted(set(ids) - set(ids[ends]))


def test_its_old_lease_stays_stale(storage: RedisStorage, dlq: DeadLetterQueue) -> None:
    add(storage)
    (old,) = claim(storage)
    finish_all(storage, [old], DEAD)
    dlq.retry(old.job_id)
    (new,) = claim(storage)
    assert new.fence > old.fence
    assert finish_all(storage, [old], DEAD) == ["stale"]


def test_it_waits_behind_what_is_in_the_queue(storage: RedisStorage, dlq: DeadLetterQueue) -> None:
    (dead,) = make_dead(storage)
    waiting = add(storage, 2)
    dlq.retry(dead)
    assert [lease.job_id for lease in claim(storage, 3)] == [*waiting, dead]


def test_only_a_dead_job_can_be_retried(storage: RedisStorage, dlq: DeadLetterQueue) -> None:
    (done,) = complete(storage)
    with pytest.raises(QueuectlError, match="completed"):
        dlq.retry(done)
    with pytest.raises(JobNotFound):
        dlq.retry("feedfeed")
    assert storage.run(jobs.dlq_retry([done, "feedfeed"])) == ["completed", "missing"]
    assert status_of(storage, done) is JobState.COMPLETED
    assert reads.exist(storage, ["feedfeed"]) == [False]


def test_all_are_retried_in_chunks_and_leave_no_hints(storage: RedisStorage, dlq: DeadLetterQueue) -> None:
    ids = make_dead(storage, 1_200)
    assert dlq.retry_all() == 1_200
    assert dlq.count() == 0
    assert storage.r.llen(key(storage, "dead_letter")) == 0
    again = [lease for _ in range(3) for lease in claim(storage, 500)]
    assert sorted(lease.job_id for lease in again) == sorted(ids)
    finish_all(storage, again, DEAD)
    assert storage.r.llen(key(storage, "dead_letter")) == 1_200


def test_clearing_removes_them(storage: RedisStorage, dlq: DeadLetterQueue) -> None:
    ids = make_dead(storage, 1_200)
    (done,) = complete(storage)
    assert dlq.clear() == 1_200
    assert reads.exist(storage, [ids[0], ids[-1], done]) == [False, False, True]
    assert storage.r.llen(key(storage, "dead_letter")) == 0
    assert storage.run(jobs.find(ids[0][:4])) == []
    assert dlq.clear() == 0


def test_only_jobs_in_the_given_state_are_deleted(storage: RedisStorage) -> None:
    (dead,), (done,) = make_dead(storage), complete(storage)
    assert storage.run(jobs.delete(JobState.DEAD, [done, "feedfeed", dead])) == [dead]
    assert reads.exist(storage, [dead, done]) == [False, True]


def test_one_of_many_leaves_the_list_as_well(storage: RedisStorage) -> None:
    one, two, three = make_dead(storage, 3)
    storage.run(jobs.delete(JobState.DEAD, [two]))
    assert sorted(storage.r.lrange(key(storage, "dead_letter"), 0, -1)) == sorted([one, three])
