"""`enqueue --durable` and `--wait-for-server`: what a producer can ask for beyond an acknowledgement."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import finish, is_alive, run, spawn
from queuectl.errors import ServerUnreachable
from queuectl.manager.queue_manager import QueueManager
from queuectl.server import binary
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.workers import overview
from servers import running
from waiting import wait_until


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="qctl-"))
    yield folder
    shutil.rmtree(folder)


def test_the_embedded_server_has_it_on_disk(queue: RedisStorage) -> None:
    assert run("enqueue", "--durable", "true").lines
    assert queue.run(overview()).jobs["pending"] == 1


@pytest.mark.parametrize("words", [["true"], ["--from", "-"]], ids=" ".join)
def test_a_server_without_a_disk_is_told_before_anything_is_added(words: list[str]) -> None:
    with running(binary.find().path) as server:
        env = {"QUEUECTL_REDIS_URL": server.url}
        answer = run("enqueue", "--durable", *words, env=env, code=78, stdin=b"true\n")
        assert (answer.raw, "CONFIG SET appendonly yes" in answer.err) == (b"", True)
        assert run("list", "--json", env=env).objects == []


@pytest.mark.parametrize("words", [["--burst"], ["--detach"]], ids=" ".join)
def test_whoever_starts_workers_is_warned_of_a_server_without_a_disk(words: list[str]) -> None:
    with running(binary.find().path) as server:
        env = {"QUEUECTL_REDIS_URL": server.url}
        assert run("enqueue", "true", env=env).err == run("status", env=env).err == ""
        (said,) = run("worker", "start", *words, env=env).err.splitlines()
        assert said.startswith(f"Warning: The server {server.url} keeps no append-only file")
        assert "CONFIG SET appendonly yes" in said
        storage = RedisStorage(server.url)
        storage.r.config_set("appendonly", "yes")
        storage.close()
        assert run("worker", "start", "--burst", env=env).err == ""
        run("worker", "stop", "--wait", env=env)


def test_a_server_that_does_not_tell_of_its_disk_is_not_warned_of() -> None:
    with running(binary.find().path) as server:
        storage = RedisStorage(server.url)
        storage.exchange([("ACL", "SETUSER", "default", "-info")])
        storage.close()
        assert run("worker", "start", "--burst", env={"QUEUECTL_REDIS_URL": server.url}).err == ""


def test_a_server_that_is_too_old_is_told_before_anything_is_added() -> None:
    # Without the command, the server answers as one does that never had it.
    with running(binary.find().path, "--appendonly", "yes", "--rename-command", "WAITAOF", "") as server:
        env = {"QUEUECTL_REDIS_URL": server.url}
        answer = run("enqueue", "--durable", "true", env=env, code=78)
        assert "that takes Redis 7.2 or Valkey. Nothing was added." in answer.err
        assert (answer.raw, run("list", "--json", env=env).objects) == (b"", [])


def test_a_replica_that_does_not_answer_is_told(short_folder: Path) -> None:
    with running(binary.find().path, "--appendonly", "yes") as server, running(binary.find().path) as replica:
        storage, other = RedisStorage(server.url), RedisStorage(replica.url)
        storage.r.config_set("port", port := free_port())
        other.r.replicaof("127.0.0.1", port)
        wait_until(lambda: other.r.info("replication")["master_link_status"] == "up")
        env = {"QUEUECTL_REDIS_URL": server.url}
        assert run("enqueue", "--durable", "true", env=env).lines
        os.kill(replica.pid, signal.SIGSTOP)
        told = run("enqueue", "--durable", "true", env=env, code=75)
        assert "Added, but not yet safe: 0 of the server's 1 replicas have it" in told.err
        assert run("show", *told.lines, "--json", env=env).object["state"] == "pending"
        os.kill(replica.pid, signal.SIGCONT)
        storage.close()
        other.close()


@pytest.mark.parametrize("words", [["true"], ["--from", "-"], ["--json", "true"]], ids=" ".join)
def test_as_many_replicas_as_configured_must_have_it_on_disk(short_folder: Path, words: list[str]) -> None:
    on_disk = ("--appendonly", "yes")
    lines = b"true\n" if "--from" in words else None
    with running(binary.find().path, *on_disk) as server:
        env = {"QUEUECTL_REDIS_URL": server.url}
        storage = RedisStorage(server.url)
        with running(binary.find().path, *on_disk) as replica:
            other = RedisStorage(replica.url)
            storage.r.config_set("port", port := free_port())
            other.r.replicaof("127.0.0.1", port)
            wait_until(lambda: other.r.info("replication")["master_link_status"] == "up")
            assert run("config", "set", "durable-replicas=1", env=env).out == "durable-replicas = 1\n"
            told = run("enqueue", "--durable", *words, env=env, stdin=lines)
            assert (len(told.lines), told.err) == (1, "")
            run("config", "set", "--durable-replicas", "2", env=env)
            told = run("enqueue", "--durable", *words, env=env, stdin=lines, code=75)
            assert "Added, but not yet safe: 1 of the 2 replicas" in told.err
            assert len(told.lines) == 1
            run("config", "set", "durable-replicas=1", env=env)
            other.close()
        wait_until(lambda: storage.r.info("replication")["connected_slaves"] == 0)
        told = run("enqueue", "--durable", *words, env=env, stdin=lines, code=75)
        assert "Added, but not yet safe: 0 of the 1 replicas" in told.err
        assert len(told.lines) == 1  # the id, since the job is there
        run("config", "reset", env=env)
        assert run("enqueue", "--durable", *words, env=env, stdin=lines).lines
        assert storage.run(overview()).jobs["pending"] == 4
        storage.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_it_waits_until_a_server_is_there(short_folder: Path) -> None:
    path = short_folder / "s.sock"
    env = {"QUEUECTL_REDIS_URL": f"unix://{path}"}
    assert run("enqueue", "true", env=env, code=69).err
    waiting = spawn("enqueue", "--wait-for-server", "--from", "-", env=env, stdin=subprocess.PIPE)
    assert waiting.stdin is not None
    waiting.stdin.write(b"echo one\necho two\n")
    waiting.stdin.close()
    waiting.stdin = None
    assert waiting.stderr is not None
    assert waiting.stderr.readline().endswith(b"; waiting for it (Ctrl-C to give up).\n")
    assert is_alive(waiting.pid)
    command = [binary.find().path, "--port", "0", "--unixsocket", str(path), "--dir", str(short_folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        answer = finish(waiting)
        assert (answer.code, len(answer.lines), answer.err) == (0, 2, "")
        assert run("status", "--json", env=env).object["jobs"]["pending"] == 2
    finally:
        server.kill()
        server.wait()


def test_a_lost_answer_does_not_add_the_jobs_twice(queue: RedisStorage) -> None:
    class Forgetful(RedisStorage):
        """Its first answer is lost after the server has acted."""

        lost = False

        def run(self, call):  # type: ignore[no-untyped-def]
            answer = super().run(call)
            if not self.lost:
                self.lost = True
                raise ServerUnreachable("the answer was lost")
            return answer

    storage = Forgetful()
    waits: list[str] = []
    manager = QueueManager(storage)
    ids = manager.enqueue_many([b"true"] * 3, on_wait=lambda error: waits.append(error.message))
    assert waits == ["the answer was lost"]
    storage.close()
    assert reads.exist(queue, ids) == [True] * 3
    assert queue.run(overview()).jobs["pending"] == 3
