"""`worker stop` and `worker resume`: one key, and a message to every pool."""

from __future__ import annotations

from queuectl.manager.queue_manager import QueueManager
from queuectl.manager.workers import Workers
from queuectl.storage import RedisStorage
from queuectl.storage.calls import workers
from queuectl.storage.calls.workers import WorkerState, overview
from steps import beat, key
from waiting import wait_until


def test_every_live_runner_is_told(storage: RedisStorage) -> None:
    beat(storage, WorkerState("a.1", "idle"), WorkerState("a.2", "busy"), runner="a")
    beat(storage, WorkerState("b.1", "idle"), runner="b")
    assert Workers(storage).stop() == 3
    assert storage.r.get(key(storage, "stop_signal")) == "true"
    for runner in ("a", "b"):
        control = storage.keys.control(runner)
        assert storage.r.lrange(control, 0, -1) == ["stop"]
        assert 0 < storage.r.ttl(control) <= 3600
    assert storage.run(overview()).stopped


def test_a_runner_that_is_gone_is_not(storage: RedisStorage) -> None:
    beat(storage, WorkerState("gone.1", "idle"), runner="gone", life_seconds=1)
    wait_until(lambda: storage.run(overview()).workers == [])
    assert storage.run(workers.stop()) == 0
    assert storage.r.exists(storage.keys.control("gone")) == 0


def test_stop_holds_with_no_worker_there(storage: RedisStorage) -> None:
    assert storage.run(workers.stop()) == 0
    assert QueueManager(storage).status().stopped


def test_resume_takes_it_back(storage: RedisStorage) -> None:
    assert Workers(storage).resume() is False
    storage.run(workers.stop())
    assert Workers(storage).resume() is True
    assert not storage.run(overview()).stopped
    assert storage.r.exists(storage.keys.control("a")) == 0


def test_resume_tells_every_live_runner(storage: RedisStorage) -> None:
    beat(storage, WorkerState("a.1", "draining"), runner="a")
    storage.run(workers.stop())
    storage.run(workers.resume())
    storage.run(workers.resume())
    assert storage.r.lrange(storage.keys.control("a"), 0, -1) == ["stop", "resume"]
    assert not storage.run(overview()).stopped
    assert storage.r.exists(key(storage, "stop_signal")) == 0
