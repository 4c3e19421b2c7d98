"""Commands and workers before a server that is none, or one that answers without an end."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise, repeat
from pathlib import Path

import pytest

import cli
from fakes import FakeServer, encoded, fake_server
from queuectl.errors import ServerUnreachable
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.client import Connection
from queuectl.storage.scripts import digest, source
from queuectl.storage.url import parse
from servers import Server
from waiting import wait_until

LIMIT_SECONDS = 5.0
MEGABYTE = 1 << 20


def slowly(reply: bytes) -> Iterator[bytes]:
    for at in range(len(reply)):
        yield reply[at : at + 1]
        time.sleep(1)


def without_end(begin: bytes, more: bytes) -> Callable[[list[bytes]], Iterator[bytes]]:
    def answer(_: list[bytes]) -> Iterator[bytes]:
        yield begin
        yield from repeat(more)

    return answer


SERVERS: dict[str, Callable[[list[bytes]], bytes | Iterator[bytes]]] = {
    "a byte a second": lambda _: slowly(b"+" + b"a" * 60),
    "a byte a second of a text": lambda _: slowly(encoded(b"a" * 60)),
    "an endless line": without_end(b"+", b"a" * 65_536),
    "an endless text": without_end(b"$4000000000\r\n", b"a" * 65_536),
    "an endless list": without_end(b"*4000000000\r\n", b":1\r\n" * 10_000),
    "endless lists": without_end(b"*100000\r\n", b"*2\r\n*0\r\n*0\r\n" * 5_000),
    "deep nesting": lambda _: b"*1\r\n" * 100_000,
    "silence": lambda _: b"",
}


@pytest.mark.parametrize("kind", SERVERS)
def test_no_command_outlasts_a_server_without_bounds(kind: str) -> None:
    with fake_server(SERVERS[kind]) as server:
        began = time.monotonic()
        env = {"QUEUECTL_REDIS_URL": server.url}
        started = [cli.spawn(*words, env=env) for words in (["enqueue", "x"], ["status"])]
        peak = 0
        while any(process.poll() is None for process in started):
            peak = max(peak, *(memory_of(process.pid) for process in started))
        for process in started:
            told = cli.finish(process)
            assert (told.code, told.raw) == (69, b""), told
            assert told.err.startswith("Error: ")
            assert "Traceback" not in told.err
        assert 0 < peak < 50 * MEGABYTE
        assert time.monotonic() - began < LIMIT_SECONDS + 3  # three: to start, on a busy machine


@pytest.mark.parametrize("reply", [b"OK", b"abc", [b"abc"], [b"ok", b"ok"], [], None, 1, [[b"ok"]]], ids=repr)
@pytest.mark.parametrize(
    "words", [["true"], ["--json", "true"], ["--durable", "true"], ["--from", "-"]], ids=" ".join
)
def test_nothing_is_said_to_be_added_but_by_the_servers_own_word(words: list[str], reply: object) -> None:
    def answer(command: list[bytes]) -> bytes:
        return encoded([1, 0] if command[0] == b"WAITAOF" else reply)

    with fake_server(answer) as server:
        told = cli.run("enqueue", *words, env={"QUEUECTL_REDIS_URL": server.url}, code=69, stdin=b"true\n")
    assert told.raw == b""
    assert "is not a Redis or Valkey that can serve: it answered enqueue with" in told.err


class Between:
    """Stands between a pool and its server, and answers one script itself while ``reply`` is set."""

    def __init__(self, server: Server, script: str) -> None:
        self._url = parse(server.url)
        self._script = {digest(script).encode(), source(script)}
        self._own = threading.local()
        self._opened: list[tuple[Connection, int]] = []
        self.reply: Callable[[], bytes | Iterator[bytes]] | None = None
        self.times: list[float] = []

    def close(self) -> None:
        """Have the server hang up: a connection that still waits for the wake token would take it from others."""
        own = Connection.open(self._url)
        own.exchange([("CLIENT", "KILL", "ID", number) for _, number in self._opened])
        own.close()
        for connection, _ in self._opened:
            connection.close()

    def __call__(self, command: list[bytes]) -> bytes | Iterator[bytes]:
        if self.reply is not None and command[1:2] and command[1] in self._script:
            self.times.append(time.monotonic())
            return self.reply()
        if not hasattr(self._own, "connection"):
            self._own.connection = Connection.open(self._url)
            self._opened.append((self._own.connection, self._own.connection.exchange([("CLIENT", "ID")])[0]))
        try:
            (reply,) = self._own.connection.exchange([tuple(command)], timeout_seconds=60)
        except ServerUnreachable:  # the test is over
            raise ConnectionError from None
        return encoded(reply)


@contextmanager
def between(server: Server, script: str) -> Iterator[tuple[Between, FakeServer]]:
    """Something between a pool and its server, and where it listens."""
    middle = Between(server, script)
    with fake_server(middle) as fake:
        yield middle, fake
    middle.close()


@contextmanager
def pool_at(fake: FakeServer, queue: RedisStorage) -> Iterator[subprocess.Popen[bytes]]:
    """A pool with one worker behind the fake; `cli.pool` checks that it shows no traceback."""
    with cli.pool(queue, env={"QUEUECTL_REDIS_URL": fake.url}) as process:
        yield process


def said_by(pool: subprocess.Popen[bytes]) -> str:
    return Path(f"/proc/{pool.pid}/fd/2").read_text(errors="replace")


@pytest.mark.parametrize("script", ["claim", "finish", "heartbeat"])
def test_a_worker_reports_nonsense_once_and_comes_back(
    valkey_server: Server, named_queue: RedisStorage, queuectl_home: Path, script: str
) -> None:
    with between(valkey_server, script) as (middle, fake), pool_at(fake, named_queue) as pool:
        middle.reply = lambda: encoded([b"OK", None, 7])
        job_id = cli.enqueue("echo once")
        if script == "heartbeat":
            fake.hang_up()
        wait_until(lambda: len(middle.times) >= 6)
        pauses = [later - sooner for sooner, later in pairwise(middle.times)]
        assert sum(pauses) > 0.3, pauses  # they grow
        told = [line for line in said_by(pool).splitlines() if "it answered" in line]
        assert len(told) == 1, told
        assert f"it answered {script} with a list of 3" in told[0]
        middle.reply = None
        job = cli.wait_for(named_queue, job_id, JobState.COMPLETED)
        assert (job.attempts, job.crashes) == (1, 0)


def test_a_worker_gives_up_a_reply_that_takes_too_long(
    valkey_server: Server, named_queue: RedisStorage, queuectl_home: Path
) -> None:
    with between(valkey_server, "claim") as (middle, fake), pool_at(fake, named_queue) as pool:
        middle.reply = lambda: slowly(b"+" + b"a" * 60)
        job_id = cli.enqueue("true")
        began = time.monotonic()
        wait_until(lambda: "no whole answer within 5 s" in said_by(pool))
        assert time.monotonic() - began < LIMIT_SECONDS + 3
        middle.reply = None
        cli.wait_for(named_queue, job_id, JobState.COMPLETED)


def test_a_worker_gives_up_a_reply_without_an_end(
    valkey_server: Server, named_queue: RedisStorage, queuectl_home: Path
) -> None:
    with between(valkey_server, "claim") as (middle, fake), pool_at(fake, named_queue) as pool:
        (runner,) = cli.runners_of(pool)
        before = memory_of(runner)
        middle.reply = lambda: SERVERS["an endless line"]([])
        job_id = cli.enqueue("true")
        wait_until(lambda: "its reply has more than" in said_by(pool))
        assert memory_of(runner) - before < 50 * MEGABYTE
        middle.reply = None
        cli.wait_for(named_queue, job_id, JobState.COMPLETED)


def memory_of(pid: int) -> int:
    """The most memory that a process has had so far, in bytes; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = status.partition("VmHWM:")[2].split()
    return int(peak[0]) * 1024 if peak else 0  # a zombie has none
