"""A full server takes no new jobs, but existing ones can finish."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import steps
from queuectl.errors import ServerRefused
from queuectl.manager.queue_manager import QueueManager
from queuectl.model.outcome import DEAD, RETRY
from queuectl.storage import RedisStorage, config, reads
from queuectl.storage.calls import jobs, workers
from queuectl.storage.calls.workers import WorkerState, overview
from steps import (
    EXPIRED,
    LONG,
    add,
    add_as,
    add_one,
    beat,
    claim,
    fail,
    finish,
    ids_in,
    make_dead,
    new_ids,
    prune,
    queue_of,
)


@contextmanager
def full(storage: RedisStorage) -> Iterator[None]:
    """The server has used up its memory."""
    storage.r.config_set("maxmemory", 1)
    try:
        yield
    finally:
        storage.r.config_set("maxmemory", 0)


def test_enqueue_is_refused_and_nothing_is_half_written(storage: RedisStorage) -> None:
    old = add_one(storage)
    ids = new_ids(3)
    with full(storage), pytest.raises(ServerRefused, match="out of memory"):
        add_as(storage, ids, variables={b"A": b"1"})
    assert reads.exist(storage, ids) == [False] * 3
    assert queue_of(storage) == ids_in(storage, "idx:pending") == [old]
    assert storage.r.keys(f"{storage.keys.namespace}:env:*") == []
    add_as(storage, ids)


def test_so_is_putting_dead_jobs_back(storage: RedisStorage) -> None:
    (dead,) = make_dead(storage)
    with full(storage), pytest.raises(ServerRefused, match="out of memory"):
        storage.run(jobs.dlq_retry([dead]))
    assert ids_in(storage, "idx:dead") == [dead]
    assert queue_of(storage) == []


def test_so_is_configuring(storage: RedisStorage) -> None:
    with full(storage), pytest.raises(ServerRefused, match="out of memory"):
        config.write_config(storage, {"max_retries": "1"})
    assert config.read_config(storage) == {}


def test_what_is_there_is_still_worked_off(storage: RedisStorage) -> None:
    fail(storage, delay=0)
    add(storage, 5)
    with full(storage):
        leases = claim(storage, 5)
        assert len(leases) == 5
        beat(storage, WorkerState("pool.1", "busy", leases[0].job_id, leases[0].fence), waiting=leases[1:])
        assert finish(storage, leases[0]) == "completed"
        assert finish(storage, leases[1], RETRY, delay=LONG) == "failed"
        assert finish(storage, leases[2], DEAD) == "dead"
        assert len(claim(storage, lease_seconds=EXPIRED)) == 1
        assert beat(storage).pending == 1, "the lease that ended was reaped"


def test_room_can_be_made(storage: RedisStorage) -> None:
    make_dead(storage, 3)
    pending, running, other = add(storage, 3)
    storage.r.lrem(storage.keys.namespace + ":jobs", 0, pending)
    claim(storage)
    with full(storage):
        assert storage.run(jobs.cancel([pending, running])) == ["cancelled", "requested"]
        assert QueueManager(storage).clear() == 1
        assert steps.recover(storage, ["pool"]) == 1
        storage.run(workers.stop())
        assert storage.run(overview()).stopped
        assert storage.run(workers.resume())
        assert len(prune(storage, dead_retention=0)) == 3
        assert storage.run(jobs.watch(other)) == "cancelled"
        storage.run(workers.retire("pool", ["pool.1"]))
