"""`fsck`: each way in which records can stop fitting together is found, and mended where that is possible."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queuectl.manager import integrity
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.scripts import CHUNK
from steps import add, add_one, beat, bury, claim, complete, fail, key, status_of

Make = Callable[[RedisStorage], list[str]]
Break = Callable[[RedisStorage, str], object]


def problems(storage: RedisStorage, *, repair: bool = False) -> list[str]:
    return [problem.problem for problem in integrity.check(storage, repair=repair)]


@pytest.mark.parametrize("make", [add, fail, bury, complete], ids=lambda make: make.__name__)
def test_what_queuectl_writes_fits_together(
    storage: RedisStorage, make: Callable[[RedisStorage], list[str]]
) -> None:
    make(storage)
    claim(storage)
    assert problems(storage) == []


BROKEN: dict[str, tuple[Make, Break, str]] = {
    "not in its index": (
        complete,
        lambda storage, job_id: storage.r.zrem(key(storage, "idx:completed"), job_id),
        "is completed, but not listed so",
    ),
    "a lease without an end": (
        add,
        lambda storage, job_id: (claim(storage), storage.r.zrem(key(storage, "running"), job_id)),
        "is processing, but not listed so",
    ),
    "a retry that nobody waits for": (
        fail,
        lambda storage, job_id: storage.r.zrem(key(storage, "retry_queue"), job_id),
        "is failed, but not listed so",
    ),
    "in two indexes": (
        bury,
        lambda storage, job_id: storage.r.zadd(key(storage, "idx:pending"), {job_id: 1}),
        "is listed as pending, but it is dead",
    ),
    "a job that is gone": (
        complete,
        lambda storage, job_id: storage.r.delete(storage.keys.job(job_id)),
        "is listed as completed, but it is gone",
    ),
    "not found by its first digits": (
        add,
        lambda storage, job_id: storage.r.delete(key(storage, f"ids:{job_id[:4]}")),
        "can not be looked up by its first digits",
    ),
    "pending, but not in the queue": (
        add,
        lambda storage, job_id: storage.r.delete(key(storage, "jobs")),
        "is pending, but not in the list jobs",
    ),
    "dead, but not in the list": (
        bury,
        lambda storage, job_id: storage.r.delete(key(storage, "dead_letter")),
        "is dead, but not in the list dead_letter",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_found_and_mended(storage: RedisStorage, name: str) -> None:
    make, spoil, problem = BROKEN[name]
    job_id = make(storage)[0]
    sound = add_one(storage)
    spoil(storage, job_id)
    found = [found for found in integrity.check(storage, repair=False) if found.job_id != sound]
    assert (job_id, problem, True) in found
    assert found == [found for found in integrity.check(storage, repair=False) if found.job_id != sound]
    problems(storage, repair=True)
    assert problems(storage) == []


def test_a_mended_lease_leaves_its_worker_time_to_renew_it(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    storage.r.zrem(key(storage, "running"), job_id)
    problems(storage, repair=True)
    assert claim(storage) == []
    assert storage.r.zscore(key(storage, "running"), job_id) > float(storage.time()) + 60
    assert beat(storage, waiting=[lease]).lost == []


@pytest.mark.parametrize("fields", [{"command": "x"}, {"status": "strange", "command": "x"}, {"status": "pending"}])
def test_what_is_no_job_is_told_and_left_alone(storage: RedisStorage, fields: dict[str, str]) -> None:
    storage.r.hset(storage.keys.job("feedfeed"), mapping=fields)
    (found,) = integrity.check(storage, repair=True)
    assert (found.job_id, found.mendable) == ("feedfeed", False)
    assert storage.r.hgetall(storage.keys.job("feedfeed")) == fields


def test_lost_variables_are_told(storage: RedisStorage) -> None:
    add(storage, 1, variables={b"PATH": b"/bin"})
    for name in storage.r.scan_iter(key(storage, "env:*")):
        storage.r.delete(name)
    assert problems(storage) == ["has lost the variables of its environment"]


def test_more_jobs_than_one_look_takes_in(storage: RedisStorage) -> None:
    ids = add(storage, 2 * CHUNK + 3)
    storage.r.delete(key(storage, "idx:pending"), key(storage, "jobs"))
    assert len(problems(storage, repair=True)) == 2 * len(ids)
    assert problems(storage) == []
    assert {status_of(storage, job_id) for job_id in ids[:3]} == {JobState.PENDING}
    assert storage.overview().jobs[JobState.PENDING] == len(ids)
