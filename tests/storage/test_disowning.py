"""After a loss of its connection, a runner gives back the jobs that it was leased in an answer it never got."""

from __future__ import annotations

from test_command_discipline import calls_of

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs
from queuectl.storage.calls.leases import disown
from queuectl.storage.scripts import CHUNK
from steps import EXPIRED, add, claim, status_of


def test_what_it_does_not_know_is_pending_again_and_nothing_is_counted(storage: RedisStorage) -> None:
    known, unknown = add(storage, 2)
    leases = claim(storage, 2, runner="one")
    assert storage.run(disown("one", leases[:1])) == 1
    assert status_of(storage, known) is JobState.PROCESSING
    job = reads.job(storage, unknown)
    assert job is not None
    assert (job.state, job.attempts, job.crashes) == (JobState.PENDING, 0, 0)
    assert [lease.job_id for lease in claim(storage, 2)] == [unknown]


def test_what_others_run_is_left_alone(storage: RedisStorage) -> None:
    (job_id,) = add(storage, 1)
    claim(storage, 1, runner="other")
    storage.run(disown("one", []))
    assert status_of(storage, job_id) is JobState.PROCESSING


def test_a_lease_is_known_by_its_fence(storage: RedisStorage) -> None:
    (job_id,) = add(storage, 1)
    (lease,) = claim(storage, 1, runner="one")
    storage.run(disown("one", [lease._replace(fence=lease.fence - 1)]))
    assert status_of(storage, job_id) is JobState.PENDING


def test_a_whole_claim_is_put_back_in_one_call(storage: RedisStorage) -> None:
    ids = add(storage, CHUNK + 20)
    claim(storage, CHUNK + 20, runner="one")
    assert storage.run(disown("one", [])) == CHUNK + 20
    assert [lease.job_id for lease in claim(storage, CHUNK + 20)] == ids


def test_its_cost_does_not_grow_with_the_leases_of_others(storage: RedisStorage) -> None:
    add(storage, 301)
    claim(storage, 1, runner="one")
    assert calls_of(storage, lambda: storage.run(disown("one", []))) <= 10
    claim(storage, 300, runner="other")
    assert calls_of(storage, lambda: storage.run(disown("one", []))) <= 10


def test_a_job_that_was_cancelled_meanwhile_is_not_started(storage: RedisStorage) -> None:
    """The runner never learns of the claim, nor of the message: nobody but this script can honour it."""
    (job_id,) = add(storage)
    claim(storage, runner="one")
    assert storage.run(jobs.cancel([job_id])) == ["requested"]
    assert storage.run(disown("one", [])) == 1
    job = reads.job(storage, job_id)
    assert job is not None
    assert (job.state, job.reason) == (JobState.CANCELLED, "cancelled")
    assert claim(storage) == []


def test_an_outdated_lease_of_the_same_job_hides_no_newer_one(storage: RedisStorage) -> None:
    (job_id,) = add(storage)
    (old,) = claim(storage, runner="one", lease_seconds=EXPIRED)
    (new,) = claim(storage, runner="one")
    assert storage.run(disown("one", [new, old])) == 0
    assert status_of(storage, job_id) is JobState.PROCESSING
