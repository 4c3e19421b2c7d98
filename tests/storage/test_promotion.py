"""Failed jobs come back when they are due: by any claim or heartbeat, without a leader."""

from __future__ import annotations

import pytest

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from steps import LONG, beat, claim, fail, fields_of, ids_in, key, look, now, queue_of, status_of
from waiting import wait_until


def test_a_claim_takes_a_job_that_is_due(storage: RedisStorage) -> None:
    (job_id,) = fail(storage, delay=0)
    (lease,) = claim(storage)
    assert lease.job_id == job_id
    assert lease.job.attempts == 1
    assert lease.fence == 2


def test_a_heartbeat_puts_it_into_the_queue(storage: RedisStorage) -> None:
    (job_id,) = fail(storage, delay=0)
    storage.r.delete(storage.keys.wake)
    assert beat(storage).pending == 1
    assert status_of(storage, job_id) is JobState.PENDING
    assert "next_retry_at" not in fields_of(storage, job_id)
    assert queue_of(storage) == ids_in(storage, "idx:pending") == [job_id]
    assert ids_in(storage, "retry_queue") == []
    assert storage.r.llen(storage.keys.wake) == 1


def test_not_before_its_time(storage: RedisStorage) -> None:
    (job_id,) = fail(storage, delay=LONG)
    assert claim(storage) == []
    beat(storage)
    assert status_of(storage, job_id) is JobState.FAILED


def test_exactly_when_the_answer_said(storage: RedisStorage) -> None:
    (job_id,) = fail(storage, delay=0.2)
    due_at = storage.r.zscore(key(storage, "retry_queue"), job_id)
    early = look(storage)
    if early.leases == []:  # unless the machine was asleep for those 0.2 s
        assert early.next_due is not None
        assert 0 < early.next_due <= 0.2
        wait_until(lambda: look(storage).leases)
    assert now(storage) >= due_at


def test_in_the_order_in_which_they_are_due(storage: RedisStorage) -> None:
    third, first, second = fail(storage, 3)
    storage.r.zadd(key(storage, "retry_queue"), {third: 30, first: 10, second: 20})
    assert [lease.job_id for lease in claim(storage, 3)] == [first, second, third]


def test_at_most_a_hundred_in_one_call(storage: RedisStorage) -> None:
    fail(storage, 250, delay=0)
    left = []
    for _ in range(3):
        pulse = beat(storage)
        left.append(len(ids_in(storage, "retry_queue")))
        assert (pulse.next_due == 0) is (left[-1] > 0), "whoever asked comes again at once for the rest"
    assert left == [150, 50, 0]


@pytest.mark.parametrize("foreign", ["feedfeed", "not an id", ""])
def test_ids_of_no_job_leave_the_retry_queue(storage: RedisStorage, foreign: str) -> None:
    storage.r.zadd(key(storage, "retry_queue"), {foreign: 1})
    (job_id,) = fail(storage, delay=0)
    assert [lease.job_id for lease in claim(storage, 5)] == [job_id]
    assert ids_in(storage, "retry_queue") == []
