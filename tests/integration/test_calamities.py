"""A queue that is emptied or removed while workers use it, and workers that run out of a resource."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import cli
from cli import enqueue, job, pool, processes_of, run, runners_of, show, spawn, wait_for
from proxy import Proxy
from queuectl.model.lifecycle import JobState
from queuectl.server import binary
from queuectl.server.embedded import EmbeddedServer
from queuectl.settings import load
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.workers import overview
from queuectl.worker.runner.connections import Connections
from servers import TcpServer, running
from steps import beat, look
from waiting import wait_until

COMPLETED, PROCESSING = JobState.COMPLETED, JobState.PROCESSING

TWICE = "echo x >>runs; [ $(wc -l <runs) = 2 ] || exec sleep 1000"
"""Has to be killed the first time, and succeeds the second."""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def overheard_pool(*options: str, count: int = 1) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """A pool, and what it has said so far; it may lose its queue."""
    said = Path("said")
    with said.open("wb") as file:
        process = spawn("worker", "start", "--count", str(count), *options, stdout=subprocess.DEVNULL, stderr=file)
        try:
            yield process, said.read_text
            cli.end_pool(process)
            assert process.returncode == 0
            assert "Traceback" not in said.read_text(), said.read_text()
        finally:
            process.kill()
            process.wait()


def test_workers_say_that_the_server_was_emptied_and_go_on_with_new_jobs(queue: RedisStorage) -> None:
    with overheard_pool("--lease", "1") as (_, said):
        job_id = enqueue("sleep 1000")
        wait_until(lambda: processes_of(job_id))
        wait_until(lambda: queue.run(overview()).workers)
        queue.r.flushall()
        wait_until(lambda: "has vanished" in said())
        wait_until(lambda: not processes_of(job_id))
        wait_for(queue, enqueue("true"), COMPLETED)
    assert reads.job(queue, job_id) is None


def test_who_follows_a_job_that_is_gone_is_told(queue: RedisStorage) -> None:
    with pool(queue):
        process = spawn("run", "sleep 1000")
        wait_until(lambda: queue.run(overview()).jobs[PROCESSING] == 1)
        queue.r.flushall()
        answer = cli.finish(process)
    assert answer.code == 3
    assert "is not in the queue any more" in answer.err


@pytest.mark.parametrize("moved", [False, True], ids=["removed", "moved away"])
def test_a_state_folder_that_vanishes_is_begun_anew(queuectl_home: Path, moved: bool) -> None:
    before = enqueue("true")
    server = EmbeddedServer(str(queuectl_home)).status().pid
    assert server is not None
    with overheard_pool() as (_, said):
        wait_until(lambda: show(before)["status"] == "completed")
        if moved:
            queuectl_home.rename(queuectl_home.with_name("old"))
        else:
            shutil.rmtree(queuectl_home)
        after = enqueue("echo here")
        wait_until(lambda: show(after)["status"] == "completed")
        assert "was removed or replaced" in said()
        assert run("logs", after).lines == ["here"]
        assert "vanished" not in said()
        if moved:  # and others may be using it there
            assert cli.is_alive(server)
            assert run("show", before, env={"QUEUECTL_HOME": str(queuectl_home.with_name("old"))}).code == 0
            EmbeddedServer(str(queuectl_home.with_name("old"))).stop()
        wait_until(lambda: not cli.is_alive(server))


def test_a_pool_that_can_open_no_file_starts_its_runner_again_later(queue: RedisStorage) -> None:
    with overheard_pool() as (process, said):
        ran = enqueue(TWICE)
        wait_until(lambda: processes_of(ran))
        left = processes_of(ran)
        (runner,) = runners_of(process)
        limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (0, limits[1]))
        os.kill(runner, signal.SIGKILL)
        wait_until(lambda: "no runner could be started" in said())
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
        wait_for(queue, ran, COMPLETED)  # long before its lease would have ended
        assert not any(map(cli.is_alive, left))


def test_leases_that_a_pool_could_not_free_until_its_end_are_freed_by_the_next(line: Proxy) -> None:
    with overheard_pool("--lease", "1000") as (process, said):
        job_id = enqueue(TWICE)
        wait_until(lambda: processes_of(job_id))
        line.refuse()
        os.kill(runners_of(process)[0], signal.SIGKILL)
        wait_until(lambda: "can't be freed yet" in said())
    line.heal()
    with overheard_pool("--lease", "1000"):
        wait_until(lambda: show(job_id)["status"] == "completed", 30)


def test_a_runner_that_can_open_no_file_keeps_what_it_has(queue: RedisStorage) -> None:
    with overheard_pool("--count", "2") as (process, said):
        gate = Path("gate")
        limits_of_held = ["--memory", "1G", "--cpu-time", "100", "--max-processes", "50"]
        held = enqueue(*limits_of_held, "while [ ! -e gate ]; do sleep 0.05; done")
        wait_until(lambda: processes_of(held))
        wait_until(lambda: len(queue.run(overview()).workers) == 2)
        limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in runners_of(process)}
        for pid, (_, hard) in limits.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, hard))
        waits = enqueue("true")
        wait_until(lambda: said().count("no process could be started") > 1)  # a second later: it was looked at
        gate.touch()
        wait_for(queue, held, COMPLETED)
        for pid, both in limits.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, both)
        wait_for(queue, waits, COMPLETED)
        assert set(runners_of(process)) == set(limits)
    assert (job(queue, held).fence, job(queue, held).crashes, job(queue, waits).crashes) == (1, 0, 0)


def test_whether_a_server_is_lost_can_be_told_without_a_free_descriptor(queue: RedisStorage) -> None:
    queue.run(overview())  # starts the server
    connections = Connections(load())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        assert not connections.server_is_lost()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    os.fstat(connections.work.fileno())  # it is still open
    connections.close()


def test_a_runner_that_stood_still_starts_no_job_whose_lease_has_ended(queue: RedisStorage) -> None:
    run("enqueue", "--from", "-", stdin=b"echo $QUEUECTL_JOB_ID $QUEUECTL_FENCE >>ran\n" * 300)
    ran = Path("ran")
    with overheard_pool("--lease", "1") as (process, _):
        wait_until(lambda: ran.exists() and len(ran.read_text().splitlines()) > 60)
        (runner,) = runners_of(process)
        os.kill(runner, signal.SIGSTOP)
        claimed = queue.r.zrange("queuectl:running", 0, -1)

        def are_all_free() -> bool:
            beat(queue, runner="other", lease_seconds=1)  # leases end only while some runner is heard
            return look(queue, 0).pending + queue.run(overview()).jobs[COMPLETED] == 300

        wait_until(are_all_free)
        before = len(ran.read_text().splitlines())
        os.kill(runner, signal.SIGCONT)
        wait_until(lambda: queue.run(overview()).jobs[COMPLETED] == 300)
    begun = {tuple(line.split()) for line in ran.read_text().splitlines()[before:]}
    assert len(claimed) > 1
    assert len(begun & {(job_id, "1") for job_id in claimed}) <= 1  # the one that was just being started


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A line to a server of one's own, which is the one that all commands are pointed at."""
    server = TcpServer(binary.find().path, tmp_path / "server")
    proxy = Proxy(server.address)
    monkeypatch.setenv("QUEUECTL_REDIS_URL", "redis://{}:{}/0".format(*proxy.address))
    try:
        yield proxy
    finally:
        proxy.close()
        server.kill()


def test_a_slow_line_costs_no_lease(line: Proxy) -> None:
    """A heartbeat that is due while the one before has no answer is sent after it: the lease would end."""
    with overheard_pool("--lease", "2"):
        job_id = enqueue("sleep 4")
        wait_until(lambda: show(job_id)["status"] == "processing")
        line.delay(0.7)
        wait_until(lambda: show(job_id)["status"] == "completed", 30)
        line.heal()
        with closing(RedisStorage()) as storage:
            assert job(storage, job_id).fence == 1


def test_an_idle_runner_renews_what_it_claims_over_a_slow_line_in_time(line: Proxy) -> None:
    """Idle, it beats half as often; its first lease must not wait for the longer of the two pauses."""
    with overheard_pool("--lease", "2"), closing(RedisStorage()) as storage:
        wait_until(lambda: storage.run(overview()).workers)
        (name,) = storage.r.keys("queuectl:worker:*")
        for _ in range(2):  # each other third of a lease has no heartbeat
            beat = storage.r.hget(name, "heartbeat")
            wait_until(lambda beat=beat: storage.r.hget(name, "heartbeat") != beat)
        job_id = enqueue("sleep 4")
        wait_until(lambda: job(storage, job_id).state is PROCESSING)
        line.delay(0.7)
        wait_until(lambda: job(storage, job_id).state is COMPLETED, 30)
        line.heal()
        assert job(storage, job_id).fence == 1


def test_a_runner_claims_under_the_number_of_its_newest_connection(queue: RedisStorage) -> None:
    def noted() -> bytes:
        (value,) = queue.exchange([("GET", f"queuectl:claimed:{runner}")])
        return value

    with pool(queue):
        (runner,) = queue.r.zrange("queuectl:runners", 0, -1)
        for number in (1, 2, 3):
            job_id = enqueue("true")
            wait_for(queue, job_id, COMPLETED)
            assert noted() == f"{number}:{job_id} 1".encode()
            queue.exchange([("CLIENT", "KILL", "TYPE", "normal")])  # all but this one
            wait_until(lambda number=number: noted() == f"{number + 1}:".encode())


def test_leases_of_a_dead_runner_are_freed_once_the_server_is_back(line: Proxy) -> None:
    with overheard_pool("--lease", "1000") as (process, said):
        job_id = enqueue(TWICE)
        wait_until(lambda: processes_of(job_id))
        left = processes_of(job_id)
        line.refuse()
        os.kill(runners_of(process)[0], signal.SIGKILL)
        wait_until(lambda: "can't be freed yet" in said())
        assert not any(map(cli.is_alive, left))
        line.heal()
        wait_until(lambda: show(job_id)["status"] == "completed", 30)
        assert show(job_id)["crashes"] == 1


def test_a_server_that_closes_silent_connections_keeps_those_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(binary.find().path, "--timeout", "1") as server:
        monkeypatch.setenv("QUEUECTL_REDIS_URL", server.url)
        with overheard_pool() as (_, said), closing(RedisStorage(server.url)) as storage:

            def ages() -> list[int]:
                """Of the connections that do not wait in a BLPOP: without pings, none lives for three seconds."""
                clients = storage.r.client_list()  # type: ignore[no-untyped-call]
                return [int(one["age"]) for one in clients if one["cmd"] in ("ping", "evalsha", "eval")]

            wait_until(lambda: max(ages(), default=0) >= 4)
            assert "connected to the server again" not in said()
