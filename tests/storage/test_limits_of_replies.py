"""A reply has its time and its size: a server that knows no bounds is given up."""

from __future__ import annotations

import select
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from resource import getpagesize
from time import monotonic, sleep

import pytest

from fakes import encoded, fake_server
from queuectl.errors import NotAServer, QueuectlError, ServerUnreachable
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls import jobs, leases
from queuectl.storage.client import Connection
from queuectl.storage.link import Link
from queuectl.storage.parser import MOST_BYTES, Parser
from queuectl.storage.scripts import CHUNK, JOB_BYTES, JOBS
from queuectl.storage.shapes import text
from queuectl.storage.url import RedisURL, parse
from steps import add_one
from waiting import wait_until

MEGABYTE = 1 << 20


def slowly(reply: bytes, pause_seconds: float) -> Iterator[bytes]:
    for at in range(len(reply)):
        yield reply[at : at + 1]
        sleep(pause_seconds)


def resident_bytes() -> int:
    """The memory of this process now; 0 where only the number of bytes can be tested."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()
    except FileNotFoundError:
        return 0


ENDLESS = {
    "line": (b"+", b"a" * 65536),
    "error": (b"-", b"a" * 65536),
    "bulk": (b"$4000000000\r\n", b"a" * 65536),
    "list": (b"*1000000000\r\n", b":1\r\n"),
    "errors": (b"*190000\r\n", b"-\r\n" * 20_000),
    "lists": (b"*190000\r\n", b"*2\r\n*0\r\n*0\r\n" * 5_000),
    "numbers": (b"*190000\r\n", b"*6000\r\n" + b":1000000\r\n" * 6_000),
    "texts": (b"*190000\r\n", b"*6000\r\n" + b"$3\r\nabc\r\n" * 6_000),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_reply_without_end_is_given_up_before_it_fills_the_memory(kind: str) -> None:
    begin, more = ENDLESS[kind]
    parser = Parser(RedisURL())
    replies: list[object] = []
    before = peak = resident_bytes()

    def read() -> None:
        nonlocal peak
        for data in chain([begin], repeat(more)):
            parser.feed(data)
            parser.take(replies, 1)
            peak = max(peak, resident_bytes())

    with pytest.raises(NotAServer, match="its reply has more than"):
        read()
    assert peak - before < 50 * MEGABYTE
    assert replies == []


@pytest.mark.parametrize(
    "data",
    [
        b"*4000000000\r\n",
        b"*1\r\n" * 100_000,
        b"*-2\r\n",
        b"$-2\r\n",
        b"$99999999999999999999\r\n",
        b":99999999999999999999\r\n",
        b"*?\r\n",
        b"%1\r\n*0\r\n:1\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\0",
    ],
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with fake_server(lambda _: data) as server, pytest.raises(NotAServer, match="can serve") as caught:
        RedisStorage(server.url).run(jobs.find("abcd"))
    assert caught.value.exit_code == 69


@pytest.mark.parametrize("reply", [b"+" + b"a" * 1_000, encoded(b"a" * 1_000), encoded([b"a"] * 100)])
def test_a_reply_has_one_deadline_however_many_bytes_keep_coming(reply: bytes) -> None:
    with fake_server(lambda _: slowly(reply, 0.02)) as server:
        connection = Connection.open(parse(server.url), timeout_seconds=0.2)
        began = monotonic()
        with pytest.raises(ServerUnreachable, match=r"no whole answer within 0\.2 s"):
            connection.exchange([("PING",)])
        assert 0.2 <= monotonic() - began < 1


@pytest.mark.parametrize("reply", [b"+" + b"a" * 1_000, encoded(b"a" * 1_000)])
def test_so_it_has_in_an_event_loop(reply: bytes) -> None:
    with fake_server(lambda _: slowly(reply, 0.01)) as server:
        link = Link(Connection.open(parse(server.url), timeout_seconds=0.2), "space")
        link.command(("PING",), text, lambda _: None)
        link.flush()
        assert link.check(100.0) == 100.2
        sleep(0.05)
        link.receive()  # the first bytes
        assert link.check(100.1) == 100.2
        with pytest.raises(ServerUnreachable, match=r"no whole answer within 0\.2 s"):
            link.check(100.2)
        assert link.connection.closed


def test_a_blocking_call_has_its_own_time(valkey_storage: RedisStorage) -> None:
    with fake_server(lambda _: b"") as server:
        link = Link(Connection.open(parse(server.url), timeout_seconds=5), "space")
        assert link.check(100.0) is None
        link.command(("BLPOP", "list", 30), text, lambda _: None, blocks_seconds=30)
        link.flush()
        assert link.check(100.0) == 135.0
        assert link.check(134.9) == 135.0
        with pytest.raises(ServerUnreachable, match="no answer within 35 s"):
            link.check(135.0)


def test_each_reply_of_a_pipeline_has_its_own_time() -> None:
    with fake_server(lambda _: slowly(b"+PONG\r\n", 0.02)) as server:
        connection = Connection.open(parse(server.url), timeout_seconds=0.5)
        assert connection.exchange([("PING",)] * 5) == [b"PONG"] * 5
        connection.close()


def test_a_reply_that_nobody_asked_for_is_refused() -> None:
    with fake_server(lambda _: b"+PONG\r\n+PONG\r\n") as server:
        connection = Connection.open(parse(server.url))
        assert connection.exchange([("PING",)]) == [b"PONG"]
        with pytest.raises(NotAServer, match="before it is asked"):
            connection.exchange([("PING",)])
        link = Link(Connection.open(parse(server.url)), "space")
        link.command(("PING",), text, lambda _: None)
        link.flush()
        wait_until(lambda: select.select([link], [], [], 0)[0])
        with pytest.raises(NotAServer, match="more than it was asked"):
            link.receive()


def test_the_largest_replies_that_are_asked_for_fit(valkey_storage: RedisStorage) -> None:
    command = b"\0".join([b"x" * 100_000] * 10)[:999_999]
    for _ in range(JOBS):
        add_one(valkey_storage, command, form="exec")
    page = valkey_storage.run(jobs.page([JobState.PENDING], JOBS))
    assert [len(job.command) for job in page.jobs] == [len(command)] * JOBS
    claim = valkey_storage.run(leases.claim("host-1", 30, JOBS))
    assert len(claim.leases) == JOBS
    assert len(command) + 50_000 < JOB_BYTES


def test_many_small_parts_fit(valkey_storage: RedisStorage) -> None:
    valkey_storage.r.rpush("list", *["abc"] * 100_000)
    assert len(valkey_storage.ask(lambda reply: True, "LRANGE", "list", 0, -1)) == 100_000
    assert CHUNK * 100 < MOST_BYTES


def test_a_link_expects_what_its_calls_ask_for() -> None:
    with fake_server(lambda _: b"") as server:
        link = Link(Connection.open(parse(server.url)), "space")
        link.call(leases.claim("host-1", 30, 3), lambda _: None)
        assert link.connection.most_bytes == MOST_BYTES + 3 * JOB_BYTES
        link.call(leases.claim("host-1", 30, 1), lambda _: None)
        assert link.connection.most_bytes == MOST_BYTES + 3 * JOB_BYTES
        link.close()


def test_a_refused_reply_closes_the_connection() -> None:
    replies = iter([b"+OK\r\n", encoded([b"ok"])])
    with fake_server(lambda _: next(replies)) as server:
        storage = RedisStorage(server.url)
        with pytest.raises(QueuectlError, match="it answered enqueue with the text 'OK'"):
            add_one(storage)
        assert add_one(storage)
        storage.close()
