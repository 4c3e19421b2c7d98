"""After a loss of its connection, a runner gives back the jobs that it was leased in an answer it never got."""

from __future__ import annotations

import pytest

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage, calls
from queuectl.storage.scripts import CHUNK
from steps import add, claim, status_of


def test_what_it_does_not_know_is_pending_again_and_nothing_is_counted(storage: RedisStorage) -> None:
    known, unknown = add(storage, 2)
    leases = claim(storage, 2, runner="one")
    assert storage.run(calls.disown("one", 0, leases[:1])) == -1
    assert status_of(storage, known) is JobState.PROCESSING
    job = storage.job(unknown)
    assert job is not None
    assert (job.status, job.attempts, job.crashes) == (JobState.PENDING, 0, 0)
    assert [lease.job_id for lease in claim(storage, 2)] == [unknown]


def test_what_others_run_is_left_alone(storage: RedisStorage) -> None:
    (job_id,) = add(storage, 1)
    claim(storage, 1, runner="other")
    storage.run(calls.disown("one", 0, []))
    assert status_of(storage, job_id) is JobState.PROCESSING


def test_a_lease_is_known_by_its_fence(storage: RedisStorage) -> None:
    (job_id,) = add(storage, 1)
    (lease,) = claim(storage, 1, runner="one")
    storage.run(calls.disown("one", 0, [lease._replace(fence=lease.fence - 1)]))
    assert status_of(storage, job_id) is JobState.PENDING


@pytest.mark.parametrize("foreign", [True, False])
def test_many_are_looked_at_in_chunks(storage: RedisStorage, foreign: bool) -> None:
    add(storage, CHUNK + 20)
    claim(storage, CHUNK + 20, runner="other" if foreign else "one")
    skip = storage.run(calls.disown("one", 0, []))
    assert skip == (CHUNK if foreign else 0)
    assert storage.run(calls.disown("one", skip, [])) == -1
    assert storage.overview().jobs[JobState.PENDING] == (0 if foreign else CHUNK + 20)
