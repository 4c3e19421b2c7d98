"""Every key expires, is capped, or is permanent by decision: once all jobs are gone, nothing else is left."""

from __future__ import annotations

import re

from test_key_names import documented

import steps
from queuectl.manager.dead_letter import DeadLetterQueue
from queuectl.manager.queue_manager import QueueManager
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import DEAD, HANDED_BACK
from queuectl.storage import RedisStorage, config
from queuectl.storage.calls import jobs, workers
from queuectl.storage.calls.workers import WorkerState
from steps import EXPIRED, add, beat, claim, complete, fail, finish, key, make_dead, prune

PERMANENT = {"config", "origin", "pulse", "schema"}
CAPPED = {"wake:default": 1, "set_aside": 1_000}
EXPIRING = ("worker:", "control:", "claimed:")


def all_keys(storage: RedisStorage) -> set[str]:
    """Names of all keys of the namespace, without it."""
    start = storage.keys.namespace + ":"
    return {name.removeprefix(start) for name in storage.r.scan_iter(start + "*", count=10_000)}


def live_a_full_life(storage: RedisStorage) -> None:
    """A bit of everything that can happen to jobs and workers."""
    config.write_config(storage, {"max_retries": "1"})
    complete(storage, 3), make_dead(storage, 4), fail(storage, 2, delay=0), fail(storage, 2)
    crashing, handed_back, cancelled, *_ = add(storage, 8, variables={b"PATH": b"/bin", b"LANG": b"C"})
    storage.r.lpush(key(storage, "jobs"), "not a job", "feedfeed", crashing)
    for _ in range(6):
        claim(storage, lease_seconds=EXPIRED)
    (lease,) = claim(storage)
    finish(storage, lease, HANDED_BACK)
    storage.run(jobs.watch(handed_back))
    storage.run(jobs.cancel([cancelled]))
    leases = claim(storage, 3, runner="pool-1")
    beat(storage, WorkerState("pool-1.1", "busy", leases[0].job_id, leases[0].fence), runner="pool-1")
    storage.run(jobs.cancel([leases[1].job_id]))
    finish(storage, leases[0], DEAD)
    DeadLetterQueue(storage).retry_all()
    storage.run(workers.stop())


def test_only_documented_keys_exist_and_each_has_its_type(storage: RedisStorage) -> None:
    live_a_full_life(storage)
    table = [(re.sub("<[^>]+>", ".+", name), kind) for name, kind in documented().items()]
    types = {"List": "list", "Hash": "hash", "Sorted Set": "zset", "Set": "set", "String": "string"}
    for name in all_keys(storage):
        (kind,) = [types[kind] for pattern, kind in table if kind in types and re.fullmatch(pattern, name)]
        assert storage.r.type(key(storage, name)) == kind, name
        if name.startswith(EXPIRING):
            assert storage.r.ttl(key(storage, name)) > 0, name


def test_nothing_is_left_when_all_jobs_and_workers_are_gone(storage: RedisStorage) -> None:
    live_a_full_life(storage)
    storage.run(workers.retire("pool-1", ["pool-1.1"]))
    storage.run(workers.retire("pool", []))
    storage.run(workers.resume())
    steps.recover(storage, ["pool-1", "pool"])
    manager = QueueManager(storage)
    manager.clear()
    storage.run(jobs.cancel([job.id for job in manager.page([JobState.FAILED]).jobs]))
    while prune(storage, completed_retention=0, dead_retention=0):
        pass
    left = all_keys(storage) - PERMANENT
    assert left <= CAPPED.keys()
    for name in left:
        assert storage.r.llen(key(storage, name)) <= CAPPED[name]


def test_what_names_a_runner_goes_by_itself(storage: RedisStorage) -> None:
    """A pool that is killed retires nothing; its keys still don't stay."""
    add(storage)
    (lease,) = claim(storage, runner="killed")
    beat(storage, WorkerState("killed.1", "busy", lease.job_id, lease.fence), runner="killed")
    storage.run(jobs.cancel([lease.job_id]))
    of_it = {name for name in all_keys(storage) if "killed" in name}
    assert of_it == {"worker:killed.1", "control:killed", "claimed:killed"}
    assert all(storage.r.ttl(key(storage, name)) > 0 for name in of_it)
