"""Workers report that they are alive; the server forgets those that stay silent too long."""

from __future__ import annotations

from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import workers
from queuectl.storage.calls.workers import WorkerState, overview
from queuectl.storage.scripts import CHUNK
from steps import LONG, add, beat, claim, key, now
from waiting import wait_until


def test_a_worker_is_a_hash_that_expires(storage: RedisStorage) -> None:
    add(storage)
    (lease,) = claim(storage)
    beat(storage, WorkerState("pool.1", "busy", lease.job_id, lease.fence), life_seconds=30)
    place = key(storage, "worker:pool.1")
    fields = storage.r.hgetall(place)
    assert 0 < storage.r.ttl(place) <= 30
    assert abs(float(fields.pop("heartbeat")) - now(storage)) < 60
    assert abs(float(fields.pop("started_at")) - now(storage)) < 60
    assert fields == {"status": "busy", "job": lease.job_id, "host": "host", "pid": "4711"}


def test_all_live_workers_are_known(storage: RedisStorage) -> None:
    beat(storage, WorkerState("a.1", "idle"), WorkerState("a.2", "draining"), runner="a")
    beat(storage, WorkerState("b.1", "idle"), runner="b")
    names = storage.run(overview()).workers
    assert sorted(names) == ["a.1", "a.2", "b.1"]
    first = reads.workers(storage, ["a.2"])[0]
    assert (first.name, first.status, first.job, first.host, first.pid) == ("a.2", "draining", "", "host", 4711)
    assert first.started_at == first.heartbeat > 0


def test_a_worker_keeps_its_start(storage: RedisStorage) -> None:
    beat(storage, WorkerState("a.1", "idle"))
    beat(storage, WorkerState("a.1", "idle"))
    (worker,) = reads.workers(storage, ["a.1"])
    assert worker.started_at < worker.heartbeat


def test_a_silent_worker_is_forgotten(storage: RedisStorage) -> None:
    beat(storage, WorkerState("silent.1", "idle"), runner="silent", life_seconds=1)
    beat(storage, WorkerState("alive.1", "idle"), runner="alive")
    assert sorted(reads.workers(storage, ["silent.1", "alive.1"])) != []
    wait_until(lambda: storage.run(overview()).workers == ["alive.1"])
    wait_until(lambda: [worker.name for worker in reads.workers(storage, ["silent.1", "alive.1"])] == ["alive.1"])
    beat(storage, runner="alive")
    assert storage.r.zrange(key(storage, "workers"), 0, -1) == ["alive.1"], "heartbeats trim the index"
    assert storage.r.zrange(key(storage, "runners"), 0, -1) == ["alive"]


def test_a_runner_that_nobody_retires_leaves_no_key(storage: RedisStorage) -> None:
    add(storage)
    claim(storage, runner="killed")
    storage.r.rpush(key(storage, "control:killed"), "stop")
    storage.r.zadd(key(storage, "runners"), {"killed": now(storage) - 1})
    assert storage.r.exists(key(storage, "claimed:killed"))
    beat(storage)
    assert storage.r.zrange(key(storage, "runners"), 0, -1) == ["pool"]
    assert not storage.r.exists(key(storage, "claimed:killed"), key(storage, "control:killed"))


def test_a_runner_that_retires_is_forgotten_at_once(storage: RedisStorage) -> None:
    beat(storage, WorkerState("a.1", "idle"), WorkerState("a.2", "idle"), runner="a")
    beat(storage, WorkerState("b.1", "idle"), runner="b")
    storage.run(workers.stop())  # leaves a message for both
    storage.run(workers.retire("a", ["a.1", "a.2"]))
    assert storage.run(overview()).workers == ["b.1"]
    assert reads.workers(storage, ["a.1", "a.2"]) == []
    assert storage.r.exists(storage.keys.control("a")) == 0
    assert storage.r.exists(storage.keys.control("b")) == 1
    assert storage.r.zrange(key(storage, "runners"), 0, -1) == ["b"]


def test_a_heartbeat_tells_how_the_queue_is(storage: RedisStorage) -> None:
    add(storage, 3)
    claim(storage, lease_seconds=LONG)
    storage.r.delete(storage.keys.wake)
    pulse = beat(storage)
    assert (pulse.stopped, pulse.pending, pulse.lost, pulse.cancelled) == (False, 2, [], [])
    assert pulse.next_due is not None
    assert LONG - 60 < pulse.next_due <= LONG
    assert storage.r.llen(storage.keys.wake) == 1
    storage.run(workers.stop())
    assert beat(storage).stopped


def test_a_great_fleet_is_read_in_chunks(storage: RedisStorage) -> None:
    names = [f"w.{number}" for number in range(CHUNK + 10)]
    beat(storage, *(WorkerState(name, "idle") for name in names))
    assert [worker.name for worker in reads.workers(storage, names)] == names
