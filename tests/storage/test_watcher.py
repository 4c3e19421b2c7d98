"""Waiting for the end of jobs."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest
import redis

from queuectl import settings as local_settings
from queuectl.errors import JobNotFound, QueuectlError, ServerUnreachable
from queuectl.manager import watch as watch_module
from queuectl.manager.queue_manager import QueueManager
from queuectl.manager.watch import Watch
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import COMPLETED, DEAD, RETRY
from queuectl.server import binary
from queuectl.storage import RedisStorage
from queuectl.storage.calls import jobs
from servers import TcpServer
from steps import add, add_one, claim, complete, fail, finish


@contextmanager
def watching(storage: RedisStorage, *job_ids: str, patience_seconds: float = 20.0) -> Iterator[Watch]:
    """A watch that has connected."""
    with closing(QueueManager(storage).watch(job_ids, patience_seconds=patience_seconds)) as watch:
        watch.wait(0)
        yield watch


def end_of(watch: Watch, job_id: str) -> JobState:
    """Wait until the job is over; gives its state."""
    deadline = time.monotonic() + 20
    while (state := watch.ended(job_id)) is None:
        assert time.monotonic() < deadline
        watch.wait(20)
    return state


def test_a_job_that_has_ended_is_not_waited_for(storage: RedisStorage) -> None:
    (job_id,) = complete(storage)
    with watching(storage, job_id) as watch:
        assert watch.ended(job_id) is JobState.COMPLETED


@pytest.mark.parametrize("verdict", [COMPLETED, DEAD])
def test_an_end_that_comes_before_the_wait_is_seen(storage: RedisStorage, verdict: str) -> None:
    job_id = add_one(storage)
    with watching(storage, job_id) as watch:
        finish(storage, claim(storage)[0], verdict)
        assert end_of(watch, job_id) is JobState(verdict)


def test_an_end_that_comes_during_the_wait(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    with watching(storage, job_id) as watch:
        other = Thread(target=finish, args=(storage, lease))
        other.start()
        assert end_of(watch, job_id) is JobState.COMPLETED
        other.join()


def test_a_failure_that_is_tried_again_is_no_end(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    with watching(storage, job_id) as watch:
        assert watch.failures[job_id] == 0
        finish(storage, claim(storage)[0], RETRY)
        while not watch.failures[job_id]:
            watch.wait(20)
        assert (watch.failures[job_id], watch.ended(job_id)) == (1, None)
        storage.run(jobs.cancel([job_id]))
        assert end_of(watch, job_id) is JobState.CANCELLED


def test_a_failure_before_the_wait_is_seen(storage: RedisStorage) -> None:
    (job_id,) = fail(storage)
    with watching(storage, job_id) as watch:
        assert (watch.failures[job_id], watch.ended(job_id)) == (1, None)


def test_a_job_that_vanishes_ends_the_wait(storage: RedisStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "ASK_SECONDS", 0.01)
    job_id = add_one(storage)
    with watching(storage, job_id) as watch:
        storage.r.delete(storage.keys.job(job_id))
        with pytest.raises(JobNotFound, match="not in the queue any more"):
            end_of(watch, job_id)


def test_an_end_that_nobody_announced_is_found(storage: RedisStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "ASK_SECONDS", 0.01)
    job_id = add_one(storage)
    with watching(storage, job_id) as watch:
        storage.r.hset(storage.keys.job(job_id), "status", "completed")
        while watch.ended(job_id) is None:
            watch.wait(0.02)


# Cost ---------------------------------------------------------------------------------------------


def test_many_jobs_take_two_connections_and_no_low_descriptors(storage: RedisStorage) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1_200:
        pytest.skip("the limit of open files is too low here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1_200), hard))
    ids = add(storage, 1_100)
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_030)]
    try:
        before = len(os.listdir("/proc/self/fd"))
        with watching(storage, *ids) as watch:
            assert len(os.listdir("/proc/self/fd")) == before + 2
            while leases := claim(storage, 100):
                for lease in leases:
                    finish(storage, lease)
            assert {end_of(watch, job_id) for job_id in ids} == {JobState.COMPLETED}
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_long_wait_neither_connects_nor_writes_again(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "ASK_SECONDS", 0.01)
    job_id = add_one(storage)
    with watching(storage, job_id) as watch:
        before = storage.r.info()
        commands = storage.r.info("commandstats")
        for _ in range(10):
            watch.wait(0.02)
        after = storage.r.info("commandstats")
        assert storage.r.info()["total_connections_received"] == before["total_connections_received"]
        assert after["cmdstat_hset"] == commands["cmdstat_hset"]
        assert after["cmdstat_hget"]["calls"] > commands["cmdstat_hget"]["calls"], "it asks for the state"


# Outages ------------------------------------------------------------------------------------------


@pytest.fixture
def tcp_server(tmp_path: Path) -> Iterator[TcpServer]:
    server = TcpServer(binary.find().path, tmp_path / "server")
    yield server
    server.kill()


def storage_of(server: TcpServer) -> RedisStorage:
    host, port = server.address
    return RedisStorage(settings=local_settings.load(redis_url=f"redis://{host}:{port}/0"))


def test_an_end_during_an_outage_is_not_missed(tcp_server: TcpServer) -> None:
    storage = storage_of(tcp_server)
    done, waits = add(storage, 2)
    told: list[QueuectlError] = []
    watch = QueueManager(storage).watch([done, waits], patience_seconds=60, on_wait=told.append)
    with closing(watch):
        watch.wait(0)
        tcp_server.kill()
        while not told:
            watch.wait(0.1)
        tcp_server.start()
        storage.close()
        (lease,) = claim(storage)
        finish(storage, lease)
        assert end_of(watch, done) is JobState.COMPLETED
        assert watch.job(done).state is JobState.COMPLETED
        assert watch.ended(waits) is None
        assert len(told) == 1
    storage.close()


def test_patience_ends(tcp_server: TcpServer) -> None:
    storage = storage_of(tcp_server)
    job_id = add_one(storage)
    with watching(storage, job_id, patience_seconds=0.3) as watch:
        storage.close()
        tcp_server.kill()
        started = time.monotonic()
        with pytest.raises(ServerUnreachable):
            end_of(watch, job_id)
        assert 0.3 <= time.monotonic() - started < 10
        with pytest.raises(ServerUnreachable):
            watch.job(job_id)
    tcp_server.start()


def test_a_replica_at_the_address_is_waited_for_too(tcp_server: TcpServer) -> None:
    storage = storage_of(tcp_server)
    job_id = add_one(storage)
    with watching(storage, job_id) as watch:
        host, port = tcp_server.address
        server = redis.Redis(host, port)
        server.replicaof("127.0.0.1", "1")  # type: ignore[no-untyped-call]
        server.client_kill_filter(_type="normal", skipme=True)
        server.client_kill_filter(_type="pubsub", skipme=True)
        for _ in range(3):
            watch.wait(0.1)
        assert watch.ended(job_id) is None
        server.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]
        server.close()
        storage.close()
        finish(storage, claim(storage)[0])
        assert end_of(watch, job_id) is JobState.COMPLETED
    storage.close()
