"""Who gets which job, and what a claim writes."""

from __future__ import annotations

import pytest

from queuectl.model.command import EXEC
from queuectl.model.job import Job, Lease, Running
from queuectl.model.lifecycle import JobState
from queuectl.options import JobOptions
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs, workers
from steps import LONG, add, add_one, claim, fail, fields_of, ids_in, key, look, now, queue_of


def test_the_oldest_come_first_and_no_more_than_wanted(storage: RedisStorage) -> None:
    ids = add(storage, 5)
    assert [lease.job_id for lease in claim(storage, 2)] == ids[:2]
    assert [lease.job_id for lease in claim(storage, 9)] == ids[2:]


def test_an_empty_queue_gives_nothing_and_plans_nothing(storage: RedisStorage) -> None:
    answer = look(storage, 5)
    assert answer == (False, None, 0, [], [], "")


def test_a_lease_holds_all_that_a_worker_needs(storage: RedisStorage) -> None:
    policy = {"max_retries": "1", "backoff_base": "0.5"}
    options = {"form": EXEC, "cwd": "/tmp", "timeout": "2.5", "queue": "default", "limits": "memory=4194304"}
    job_id = add_one(storage, b"a\0b", **policy, **options)
    (lease,) = claim(storage)
    wanted = JobOptions(max_retries=1, backoff_base=0.5, timeout=2.5, memory=4 << 20)
    job = Job(job_id, JobState.PROCESSING, b"a\0b", EXEC, options=wanted, cwd=b"/tmp", fence=1)
    assert lease == Lease(job._replace(standing=Running("pool", "")), 1)


def test_the_hash_says_who_runs_it(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    claim(storage, runner="pool-7")
    fields = fields_of(storage, job_id)
    assert fields["status"] == b"processing"
    assert fields["owner"] == b"pool-7"
    job = reads.job(storage, job_id)
    assert job is not None
    assert job.run is not None
    assert (job.run.worker, job.run.host) == ("pool-7", "pool")
    assert fields["fence"] == b"1"
    assert abs(float(fields["started_at"]) - now(storage)) < 60


def test_processing_means_in_the_set_of_leases(storage: RedisStorage) -> None:
    (job_id,) = add(storage)
    claim(storage, lease_seconds=100)
    assert ids_in(storage, "idx:pending") == []
    assert queue_of(storage) == []
    deadline = storage.r.zscore(key(storage, "running"), job_id)
    assert 50 < deadline - now(storage) <= 100


def test_two_runners_share_the_queue_and_no_job(storage: RedisStorage) -> None:
    ids = add(storage, 20)
    one = [lease.job_id for _ in range(5) for lease in claim(storage, 2, runner="one")]
    two = [lease.job_id for lease in claim(storage, 20, runner="two")]
    assert one + two == ids


def test_a_claim_says_what_is_left_and_wakes_the_next(storage: RedisStorage) -> None:
    add(storage, 3)
    storage.r.delete(storage.keys.wake)  # taken by whoever claims now
    assert look(storage, 1).pending == 2
    assert storage.r.llen(storage.keys.wake) == 1
    storage.r.delete(storage.keys.wake)
    assert look(storage, 2).pending == 0
    assert storage.r.llen(storage.keys.wake) == 0


def test_a_claim_says_when_something_is_due(storage: RedisStorage) -> None:
    fail(storage, delay=500)
    add(storage)
    answer = look(storage, lease_seconds=LONG)
    assert answer.next_due is not None
    assert 400 < answer.next_due <= 500


def test_stale_ids_are_passed_over(storage: RedisStorage) -> None:
    ids = add(storage, 4)
    storage.run(jobs.cancel(ids[:3]))
    assert [lease.job_id for lease in claim(storage, 1)] == ids[3:]


def test_a_claim_looks_at_a_bounded_number_of_stale_ids(storage: RedisStorage) -> None:
    stale = add(storage, 1_000)
    live = add_one(storage)
    for start in range(0, 1_000, 500):
        storage.run(jobs.cancel(stale[start : start + 500]))
    storage.r.delete(storage.keys.wake)

    first = look(storage)
    assert first.leases == []
    assert 0 < first.pending < 1_001, "some are gone for good, the rest is for the next claim"
    assert storage.r.llen(storage.keys.wake) == 1, "so that somebody looks again at once"
    found = [lease.job_id for _ in range(5) for lease in claim(storage)]
    assert found == [live]


def test_no_job_is_given_out_while_workers_are_told_to_stop(storage: RedisStorage) -> None:
    ids = add(storage, 2)
    storage.run(workers.stop())
    answer = look(storage, 2)
    assert answer.stopped
    assert answer.leases == []
    assert answer.pending == 2
    storage.run(workers.resume())
    assert [lease.job_id for lease in claim(storage, 2)] == ids


@pytest.mark.parametrize("name", ["created_at", "crashes", "last", "reason", "exit_code"])
def test_what_a_claim_does_not_read_is_not_taken_for_empty(storage: RedisStorage, name: str) -> None:
    add(storage, **JobOptions(label=["night"]).fields())
    (lease,) = claim(storage)
    with pytest.raises(LookupError, match="a claim does not read a job's"):
        getattr(lease.job, name)
    with pytest.raises(LookupError, match="a claim does not read a job's label"):
        _ = lease.job.options.label
    job = reads.job(storage, lease.job_id)
    assert job is not None
    assert (job.options.label, job.crashes, job.last) == (("night",), 0, None)
