"""`fsck` finds each way in which records can become inconsistent, and repairs it if possible."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count

import pytest

from queuectl.manager import integrity
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import HANDED_BACK, RETRY
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs
from queuectl.storage.calls.workers import overview
from queuectl.storage.inventory import STEP
from queuectl.storage.scripts import CHUNK
from steps import (
    add,
    add_one,
    beat,
    claim,
    complete,
    fail,
    finish,
    finish_all,
    key,
    make_dead,
    prune,
    queue_of,
    status_of,
)

Make = Callable[[RedisStorage], list[str]]
Break = Callable[[RedisStorage, str], object]


def problems(storage: RedisStorage, *, repair: bool = False) -> list[str]:
    return [problem.problem for problem in integrity.check(storage, repair=repair)]


@pytest.mark.parametrize("make", [add, fail, make_dead, complete], ids=lambda make: make.__name__)
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
        make_dead,
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
        make_dead,
        lambda storage, job_id: storage.r.delete(key(storage, "dead_letter")),
        "is dead, but not in the list dead_letter",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_found_and_repaired(storage: RedisStorage, name: str) -> None:
    make, spoil, problem = BROKEN[name]
    job_id = make(storage)[0]
    sound = add_one(storage)
    spoil(storage, job_id)
    found = [found for found in integrity.check(storage, repair=False) if found.job_id != sound]
    assert (job_id, problem, True) in found
    assert found == [found for found in integrity.check(storage, repair=False) if found.job_id != sound]
    problems(storage, repair=True)
    assert problems(storage) == []


def test_a_repaired_lease_leaves_its_worker_time_to_renew_it(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    storage.r.zrem(key(storage, "running"), job_id)
    problems(storage, repair=True)
    assert claim(storage) == []
    assert storage.r.zscore(key(storage, "running"), job_id) > float(reads.server_time(storage)) + 60
    assert beat(storage, waiting=[lease]).lost == []


@pytest.mark.parametrize("fields", [{"command": "x"}, {"status": "strange", "command": "x"}, {"status": "pending"}])
def test_what_is_no_job_is_told_and_left_alone(storage: RedisStorage, fields: dict[str, str]) -> None:
    storage.r.hset(storage.keys.job("feedfeed"), mapping=fields)
    (found,) = integrity.check(storage, repair=True)
    assert (found.job_id, found.repairable) == ("feedfeed", False)
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
    assert storage.run(overview()).jobs[JobState.PENDING] == len(ids)


# On a live queue ----------------------------------------------------------------------------------


def between_reads(storage: RedisStorage, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have ``act`` done before each read of a list."""
    exchange = storage.exchange

    def acting(commands: list[tuple[object, ...]], **options: bool) -> list[object]:
        if commands[0][0] == "LRANGE":
            monkeypatch.setattr(storage, "exchange", exchange)
            act()
            monkeypatch.setattr(storage, "exchange", acting)
        return exchange(commands, **options)

    monkeypatch.setattr(storage, "exchange", acting)


def test_claims_between_two_reads_of_the_queue_hide_nothing(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(storage, 3 * STEP)
    between_reads(storage, monkeypatch, lambda: claim(storage, 7))
    assert problems(storage, repair=True) == []
    assert len(queue_of(storage)) == storage.run(overview()).jobs[JobState.PENDING], "nothing was pushed again"


def test_jobs_that_come_and_come_back_between_two_reads_are_no_problem(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(storage, 3 * STEP)

    def live() -> None:
        handed_back, retried, crashed = claim(storage, 3)
        finish(storage, handed_back, HANDED_BACK)
        finish(storage, retried, RETRY, delay=0)
        beat(storage, waiting=[crashed], lease_seconds=-1)
        claim(storage)
        add(storage, 5)

    between_reads(storage, monkeypatch, live)
    assert problems(storage) == []


def test_dead_jobs_that_leave_between_two_reads_hide_nothing(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = bury_many(storage, 3 * STEP)
    left = iter(range(1, len(ids)))
    # At the left end, the newest; and at the right end, the oldest.
    between_reads(storage, monkeypatch, lambda: storage.run(jobs.dlq_retry([ids[-next(left)], ids[next(left)]])))
    assert problems(storage) == []


@pytest.mark.parametrize("retried", [STEP // 2, STEP + STEP // 2, 2 * STEP + STEP // 2])
def test_many_dead_jobs_that_leave_at_once_hide_nothing(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch, retried: int
) -> None:
    ids = bury_many(storage, 3 * STEP + 10)
    reads = count(1)

    def leave() -> None:
        if next(reads) == 4:  # of the queue, then of the dead letters
            for start in range(0, retried, CHUNK):
                storage.run(jobs.dlq_retry(list(reversed(ids))[start : min(start + CHUNK, retried)]))

    between_reads(storage, monkeypatch, leave)
    assert problems(storage) == []


def test_dead_letters_that_prune_turns_round_are_not_hidden(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury_many(storage, 2 * STEP)
    storage.r.rpush(key(storage, "dead_letter"), *["00000000"] * (3 * STEP))  # stale ones, to be turned out
    for _ in range(5):
        prune(storage)
    storage.r.lpush(key(storage, "dead_letter"), *["00000000"] * (3 * STEP))
    between_reads(storage, monkeypatch, lambda: prune(storage))
    assert problems(storage) == []


def test_no_false_alarm_while_workers_claim(valkey_storage: RedisStorage) -> None:
    storage = valkey_storage
    add(storage, 12 * STEP)
    over = threading.Event()

    def drain() -> None:
        own = RedisStorage(storage.settings.redis_url, storage.keys.namespace)
        while not over.is_set() and (leases := claim(own, 16)):
            finish_all(own, leases, "completed")
        own.close()

    workers = [threading.Thread(target=drain) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        found = [problems(storage, repair=True) for _ in range(3)]
    finally:
        over.set()
        for worker in workers:
            worker.join()
    assert found == [[], [], []]


def bury_many(storage: RedisStorage, total: int) -> list[str]:
    """Dead jobs, the oldest first."""
    return [job_id for start in range(0, total, CHUNK) for job_id in make_dead(storage, min(CHUNK, total - start))]
