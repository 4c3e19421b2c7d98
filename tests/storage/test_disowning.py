"""After losing its connection, a runner gives back the jobs that it was leased in an answer it never got."""

from __future__ import annotations

from test_command_discipline import calls_of

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs
from queuectl.storage.calls import leases as calls
from queuectl.storage.calls.leases import Claim, disown
from queuectl.storage.scripts import CHUNK
from steps import EXPIRED, LONG, add, claim, finish, status_of


def test_what_it_does_not_know_is_pending_again_and_nothing_is_counted(storage: RedisStorage) -> None:
    known, unknown = add(storage, 2)
    leases = claim(storage, 2, runner="one")
    assert storage.run(disown("one", 2, leases[:1])) == 1
    assert status_of(storage, known) is JobState.PROCESSING
    job = reads.job(storage, unknown)
    assert job is not None
    assert (job.state, job.attempts, job.crashes) == (JobState.PENDING, 0, 0)
    assert [lease.job_id for lease in claim(storage, 2)] == [unknown]


def test_what_others_run_is_left_alone(storage: RedisStorage) -> None:
    (job_id,) = add(storage, 1)
    claim(storage, 1, runner="other")
    storage.run(disown("one", 2, []))
    assert status_of(storage, job_id) is JobState.PROCESSING


def test_a_lease_is_known_by_its_fence(storage: RedisStorage) -> None:
    (job_id,) = add(storage, 1)
    (lease,) = claim(storage, 1, runner="one")
    storage.run(disown("one", 2, [lease._replace(fence=lease.fence - 1)]))
    assert status_of(storage, job_id) is JobState.PENDING


def claim_over(storage: RedisStorage, connection: int) -> Claim:
    """A claim over one of the runner's connections."""
    return storage.run(calls.claim("one", LONG, 1, connection))


def test_a_disown_that_comes_late_takes_nothing_of_a_newer_connection(storage: RedisStorage) -> None:
    (job_id,) = add(storage)
    claim_over(storage, 1)  # its answer is lost, and the disown over connection 2 is on its way
    assert storage.run(disown("one", 3, [])) == 1
    (lease,) = claim_over(storage, 3).leases
    assert storage.run(disown("one", 2, [])) == 0
    assert finish(storage, lease) == JobState.COMPLETED
    assert status_of(storage, job_id) is JobState.COMPLETED


def test_a_claim_that_comes_late_gives_nothing_and_leaves_a_token(storage: RedisStorage) -> None:
    (job_id,) = add(storage)
    storage.run(disown("one", 2, []))
    storage.r.delete(storage.keys.wake)
    late = claim_over(storage, 1)
    assert (late.leases, late.pending) == ([], 1)
    assert storage.r.llen(storage.keys.wake) == 1
    (lease,) = claim_over(storage, 2).leases
    assert lease.job_id == job_id


def test_a_claim_that_comes_late_hides_nothing_from_the_next_disown(storage: RedisStorage) -> None:
    """It would write what it gave in place of what the newer connection was given."""
    ids = add(storage, 2)
    storage.run(disown("one", 2, []))
    claim_over(storage, 2)  # its answer is lost
    claim_over(storage, 1)
    assert storage.run(disown("one", 3, [])) == 1
    assert [status_of(storage, job_id) for job_id in ids] == [JobState.PENDING] * 2


def test_a_whole_claim_is_put_back_in_one_call(storage: RedisStorage) -> None:
    ids = add(storage, CHUNK + 20)
    claim(storage, CHUNK + 20, runner="one")
    assert storage.run(disown("one", 2, [])) == CHUNK + 20
    assert [lease.job_id for lease in claim(storage, CHUNK + 20)] == ids


def test_its_cost_does_not_grow_with_the_leases_of_others(storage: RedisStorage) -> None:
    add(storage, 301)
    claim(storage, 1, runner="one")
    assert calls_of(storage, lambda: storage.run(disown("one", 2, []))) <= 10
    claim(storage, 300, runner="other")
    assert calls_of(storage, lambda: storage.run(disown("one", 2, []))) <= 10


def test_a_job_that_was_cancelled_meanwhile_is_not_started(storage: RedisStorage) -> None:
    """The runner never learns of the claim, nor of the message: nobody but this script can honour it."""
    (job_id,) = add(storage)
    claim(storage, runner="one")
    assert storage.run(jobs.cancel([job_id])) == ["requested"]
    assert storage.run(disown("one", 2, [])) == 1
    job = reads.job(storage, job_id)
    assert job is not None
    assert (job.state, job.reason) == (JobState.CANCELLED, "cancelled")
    assert claim(storage) == []


def test_an_outdated_lease_of_the_same_job_hides_no_newer_one(storage: RedisStorage) -> None:
    (job_id,) = add(storage)
    (old,) = claim(storage, runner="one", lease_seconds=EXPIRED)
    (new,) = claim(storage, runner="one")
    assert storage.run(disown("one", 2, [new, old])) == 0
    assert status_of(storage, job_id) is JobState.PROCESSING
