"""The small client, against real servers."""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import hiredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cli
from queuectl.errors import BadConfiguration, NotAServer, ServerUnreachable
from queuectl.storage import RedisStorage
from queuectl.storage.client import Connection
from queuectl.storage.shapes import word
from queuectl.storage.url import RedisURL, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from queuectl.storage.client import Command, Reply

    Start = Callable[..., "SpareServer"]  # noqa: F821 -- in conftest.py
    Open = Callable[..., Connection]


@pytest.fixture
def connect() -> Iterator[Open]:
    """Like ``Connection.open``, of a URL's text too, and closed at the end of the test."""
    connections: list[Connection] = []

    def open_(url: RedisURL | str, **options: float) -> Connection:
        connections.append(Connection.open(parse(url) if isinstance(url, str) else url, **options))
        return connections[-1]

    yield open_
    for connection in connections:
        connection.close()


@pytest.fixture
def connection(spare_server: Start, connect: Open) -> Connection:
    return connect(RedisURL(path=spare_server().socket_path))


def run_loop(connection: Connection, wanted: int) -> list[Reply]:
    """What an event loop does: write when it can be written, read when it can be read."""
    replies: list[Reply] = []
    while len(replies) < wanted:
        writers = [connection] if connection.wants_write else []
        readable, writable, _ = select.select([connection], writers, [], 10)
        assert readable or writable, "the server is silent"
        if writable:
            connection.flush()
        if readable:
            replies += connection.receive()
    return replies


# Calls


def test_a_pipeline_returns_each_reply_in_its_place(connection: Connection) -> None:
    assert connection.exchange(
        [
            ("SET", "key", b"\x00\xff\r\n"),
            ("GET", b"key"),
            ("GET", "none"),
            ("INCRBY", "count", 41),
            ("RPUSH", "list", "a", 2, 2.5),
            ("LRANGE", "list", 0, -1),
            ("BLPOP", "empty", 0.001),
        ]
    ) == [b"OK", b"\x00\xff\r\n", None, 41, 3, [b"a", b"2", b"2.5"], None]


def test_no_commands_no_replies(connection: Connection) -> None:
    assert connection.exchange([]) == []


def test_a_refused_command_is_an_error_among_the_replies(connection: Connection) -> None:
    pong, refused, nested, again = connection.exchange(
        [("PING",), ("NONSENSE",), ("EVAL", "return {1, {err = 'NO way'}}", 0), ("PING",)]
    )
    assert (pong, again) == (b"PONG", b"PONG")
    assert isinstance(refused, hiredis.ReplyError)
    assert isinstance(nested, list)
    assert isinstance(nested[1], hiredis.ReplyError)
    assert not connection.closed


@pytest.mark.parametrize("command", [("SET", "key", None), ("SET", "key", "\udcff")])
def test_a_value_that_cannot_be_sent_sends_nothing(connection: Connection, command: Command) -> None:
    with pytest.raises((TypeError, UnicodeEncodeError)):
        connection.exchange([("SET", "key", "sent"), command])
    assert connection.exchange([("GET", "key")]) == [None]


def test_pipelines_round_trip(connection: Connection) -> None:
    values = st.binary(max_size=300) | st.text(st.characters(codec="utf-8")) | st.integers() | st.floats()

    @settings(deadline=None)
    @given(st.lists(values))
    def check(sent: list[bytes | str | int | float]) -> None:
        replies = connection.exchange([("ECHO", value) for value in sent])
        for value, reply in zip(sent, replies, strict=True):
            assert isinstance(reply, bytes)
            if isinstance(value, float):
                assert float(reply) == value or math.isnan(value)
            elif isinstance(value, bytes):
                assert reply == value
            else:
                assert reply == str(value).encode()

    check()


def test_a_pipeline_larger_than_every_buffer_does_not_deadlock(connection: Connection) -> None:
    block = bytes(1_000_000)
    assert connection.exchange([("ECHO", block)] * 100) == [block] * 100


def test_a_silent_server_is_given_up_and_never_heard_again(connection: Connection) -> None:
    with pytest.raises(ServerUnreachable, match=r"within 0\.02 s") as caught:
        connection.exchange([("PING",), ("BLPOP", "empty", 0)], timeout_seconds=0.02)
    assert caught.value.exit_code == 69
    assert connection.closed
    with pytest.raises(ServerUnreachable, match="closed"):
        connection.exchange([("PING",)])


def test_a_blocking_command_may_outlast_the_usual_time_out(spare_server: Start, connect: Open) -> None:
    connection = connect(RedisURL(path=spare_server().socket_path), timeout_seconds=0.02)
    assert connection.exchange([("BLPOP", "empty", 0.1)], timeout_seconds=5) == [None]


def test_a_frozen_server_is_noticed(spare_server: Start, connect: Open) -> None:
    server = spare_server()
    connection = connect(RedisURL(path=server.socket_path), timeout_seconds=0.05)
    server.signal(signal.SIGSTOP)
    with pytest.raises(ServerUnreachable):
        connection.exchange([("PING",)])


def test_a_dead_server_is_noticed_and_named(spare_server: Start, connect: Open) -> None:
    server = spare_server()
    connection = connect(RedisURL(path=server.socket_path))
    server.kill()
    with pytest.raises(ServerUnreachable) as caught:
        connection.exchange([("PING",)])
    assert server.socket_path in caught.value.message
    assert "redis-cli -s" in caught.value.hint
    assert connection.closed


def test_replies_before_the_end_are_kept(connection: Connection) -> None:
    assert connection.exchange([("PING",), ("QUIT",)]) == [b"PONG", b"OK"]
    with pytest.raises(ServerUnreachable):
        connection.exchange([("PING",)])


def test_an_interrupt_closes_the_connection(spare_server: Start, connect: Open) -> None:
    url = RedisURL(path=spare_server().socket_path)
    connection, observer = connect(url), connect(url)

    def interrupt_once_it_waits() -> None:
        while b"blocked_clients:1" not in observer.exchange([("INFO", "clients")])[0]:
            pass
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_once_it_waits)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        connection.exchange([("BLPOP", "empty", 0)])
    thread.join()
    assert connection.closed


def test_closing_twice_does_no_harm(connection: Connection) -> None:
    assert connection.fileno() >= 0
    connection.close()
    connection.close()
    assert connection.closed
    assert connection.fileno() == -1
    assert not connection.wants_write


# Event loops


def test_what_the_socket_cannot_take_is_kept(spare_server: Start, connect: Open) -> None:
    server = spare_server()
    connection = connect(RedisURL(path=server.socket_path))
    server.signal(signal.SIGSTOP)
    block = bytes(1_000_000)
    connection.send([("ECHO", block)] * 20)
    assert connection.wants_write
    assert connection.receive() == []
    server.signal(signal.SIGCONT)
    assert run_loop(connection, 20) == [block] * 20
    assert not connection.wants_write


def test_published_messages_are_replies(spare_server: Start, connect: Open) -> None:
    url = RedisURL(path=spare_server().socket_path)
    reader, writer = connect(url), connect(url)
    reader.send([("SUBSCRIBE", "news")])
    assert run_loop(reader, 1) == [[b"subscribe", b"news", 1]]
    assert writer.exchange([("PUBLISH", "news", "hello")]) == [1]
    assert run_loop(reader, 1) == [[b"message", b"news", b"hello"]]


def test_the_end_is_raised_after_the_last_replies(connection: Connection) -> None:
    connection.send([("PING",), ("QUIT",)])
    assert run_loop(connection, 2) == [b"PONG", b"OK"]
    with pytest.raises(ServerUnreachable):
        run_loop(connection, 1)
    with pytest.raises(ServerUnreachable):
        connection.send([("PING",)])
    with pytest.raises(ServerUnreachable):
        connection.receive()


def test_a_server_that_dies_is_noticed_by_the_loop(spare_server: Start, connect: Open) -> None:
    server = spare_server()
    connection = connect(RedisURL(path=server.socket_path))
    connection.send([("BLPOP", "empty", 0)])
    server.kill()
    with pytest.raises(ServerUnreachable):
        run_loop(connection, 1)
    assert connection.closed


# Getting in


def test_tcp_with_a_database(spare_server: Start, connect: Open) -> None:
    port = spare_server(port_option="port").port
    connection = connect(f"redis://localhost:{port}/3")
    assert connection.exchange([("SET", "key", 1)]) == [b"OK"]
    assert connect(f"redis://127.0.0.1:{port}/0").exchange([("GET", "key")]) == [None]
    assert connect(f"redis://127.0.0.1:{port}/3").exchange([("GET", "key")]) == [b"1"]


def test_a_database_that_does_not_exist(spare_server: Start) -> None:
    url = RedisURL(path=spare_server("--databases", "2").socket_path, db=2)
    with pytest.raises(BadConfiguration, match="database 2"):
        Connection.open(url)


def test_passwords(spare_server: Start, connect: Open) -> None:
    ann = ("--user", "ann", "on", ">Öl", "~*", "+@all")
    path = spare_server("--requirepass", "pass word", *ann).socket_path
    assert connect(f"unix://:pass%20word@{path}").exchange([("PING",)]) == [b"PONG"]
    assert connect(f"unix://ann:%C3%96l@{path}?db=1").exchange([("PING",)]) == [b"PONG"]
    for entrance in (":wrong-one", "ann:wrong-one", "bob:wrong-one"):
        with pytest.raises(BadConfiguration, match="user name or the password") as caught:
            connect(f"unix://{entrance}@{path}")
        assert "wrong-one" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("db", [0, 1])
def test_a_missing_password_is_told_at_the_first_reply(spare_server: Start, connect: Open, db: int) -> None:
    path = spare_server("--requirepass", "secret").socket_path
    with pytest.raises(BadConfiguration, match="wants a password"):
        connect(RedisURL(path=path, db=db)).exchange([("PING",)])


def test_a_password_too_many(spare_server: Start) -> None:
    with pytest.raises(BadConfiguration, match="has no password"):
        Connection.open(RedisURL(path=spare_server().socket_path, password="secret"))


def test_a_full_server_says_so(spare_server: Start, connect: Open) -> None:
    url = RedisURL(path=spare_server("--maxclients", "1").socket_path)
    connect(url)
    with pytest.raises(ServerUnreachable, match="max number of clients"):
        connect(url).exchange([("PING",)])


@pytest.mark.parametrize("text", ["unix:///nonexistent/x.sock", "redis://127.0.0.1:1", "redis://a..b"])
def test_no_server_is_named_with_what_to_type(text: str) -> None:
    with pytest.raises(ServerUnreachable, match="No server answers") as caught:
        Connection.open(parse(text))
    assert str(parse(text)) in caught.value.message
    assert "redis-cli" in caught.value.hint


def test_a_queue_of_others_before_a_busy_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        waiting = Connection.open(RedisURL(path=str(tmp_path / "s")))
        with closing(waiting), pytest.raises(ServerUnreachable, match=r"too many|refused"):
            Connection.open(RedisURL(path=str(tmp_path / "s")), timeout_seconds=0.05)


def test_something_else_that_answers(tmp_path: Path, connect: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = connect(f"redis://127.0.0.1:{listener.getsockname()[1]}")
        with listener.accept()[0] as peer:
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            with pytest.raises(NotAServer, match="does not speak their protocol"):
                connection.exchange([("PING",)])
    assert connection.closed


# TLS


def test_tls_with_a_known_authority(tls_server: Start, tls_files: Path, connect: Open) -> None:
    port = tls_server("--tls-auth-clients", "no").port
    connection = connect(f"rediss://localhost:{port}?ssl_ca_certs={tls_files}/ca.crt")
    block = bytes(1_000_000)
    assert connection.exchange([("ECHO", block)] * 20) == [block] * 20
    connection.send([("ECHO", block)] * 20)
    assert run_loop(connection, 20) == [block] * 20


def test_tls_trusts_nobody_unasked(tls_server: Start, tls_files: Path, connect: Open) -> None:
    port = tls_server("--tls-auth-clients", "no").port
    ca = f"ssl_ca_certs={tls_files}/ca.crt"
    with pytest.raises(ServerUnreachable, match="signed by an authority unknown here") as caught:
        connect(f"rediss://localhost:{port}")
    assert "ssl_ca_certs=FILE" in caught.value.hint
    with pytest.raises(ServerUnreachable, match=r"for another host than 127\.0\.0\.1") as caught:
        connect(f"rediss://127.0.0.1:{port}?{ca}")
    assert "ssl_check_hostname" in caught.value.hint
    assert "ssl_ca_certs" not in caught.value.hint
    for options in (f"{ca}&ssl_check_hostname=false", "ssl_cert_reqs=none"):
        assert connect(f"rediss://127.0.0.1:{port}?{options}").exchange([("PING",)]) == [b"PONG"]


def test_tls_tells_of_a_certificate_that_has_expired(
    tls_server: Start, tls_files: Path, connect: Open, tmp_path: Path
) -> None:
    for name in ("ca.crt", "server.key"):
        (tmp_path / name).write_bytes((tls_files / name).read_bytes())
    subprocess.run(
        [
            *("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "-1"),
            *("-extfile", "server.ext", "-out", tmp_path / "server.crt"),
        ],
        cwd=tls_files,
        check=True,
        capture_output=True,
    )
    files = ("--tls-cert-file", str(tmp_path / "server.crt"), "--tls-key-file", str(tmp_path / "server.key"))
    port = tls_server(*files, "--tls-auth-clients", "no").port
    with pytest.raises(ServerUnreachable, match="its certificate has expired") as caught:
        connect(f"rediss://localhost:{port}?ssl_ca_certs={tmp_path}/ca.crt")
    assert "Renew" in caught.value.hint
    assert "ssl_ca_certs" not in caught.value.hint


def test_tls_refuses_another_authority_and_another_host(
    tls_server: Start, tls_files: Path, queuectl_home: Path
) -> None:
    """As a user meets it: every way into a server that can't prove what it is ends before a password is sent."""
    port = tls_server("--tls-auth-clients", "no").port
    refused = (
        f"localhost:{port}?ssl_ca_certs={tls_files}/other.crt",
        f"127.0.0.1:{port}?ssl_ca_certs={tls_files}/ca.crt",
    )
    for place in refused:
        for words in (("status",), ("enqueue", "true"), ("worker", "start")):
            answer = cli.run("--redis-url", f"rediss://:password@{place}", *words, code=69)
            assert "can't be trusted: its certificate is" in answer.err
            assert answer.raw == b""
    trusted = f"rediss://localhost:{port}?ssl_ca_certs={tls_files}/ca.crt"
    job_id = cli.run("--redis-url", trusted, "enqueue", "true").out.strip()
    assert cli.run("--redis-url", trusted, "show", job_id, "--json").object["status"] == "pending"


def test_tls_shows_its_own_certificate(tls_server: Start, tls_files: Path, connect: Open) -> None:
    port = tls_server("--tls-auth-clients", "yes").port
    url = f"rediss://localhost:{port}?ssl_ca_certs={tls_files}/ca.crt"
    own = f"&ssl_certfile={tls_files}/client.crt&ssl_keyfile={tls_files}/client.key"
    assert connect(url + own).exchange([("PING",)]) == [b"PONG"]
    with pytest.raises(ServerUnreachable):
        connect(url).exchange([("PING",)])


def test_tls_and_plain_talk_past_each_other(spare_server: Start, connect: Open) -> None:
    port = spare_server(port_option="port").port
    with pytest.raises(ServerUnreachable):
        connect(f"rediss://localhost:{port}", timeout_seconds=0.2)


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
@pytest.mark.parametrize("content", [None, "no PEM"])
def test_tls_files_that_cannot_be_used(tmp_path: Path, option: str, content: str | None) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadConfiguration, match="TLS files"):
        Connection.open(parse(f"rediss://localhost?{option}={file}"))


# What a command pays for it


def test_importing_it_stays_cheap() -> None:
    """Every command waits for these imports; each of the modules below would add milliseconds."""
    costly = "socket selectors ssl dataclasses inspect pathlib urllib.parse logging json subprocess tempfile"
    program = f"""
import sys, queuectl
storage = type(sys)("queuectl.storage")  # in place of the package, which imports more than is measured here
storage.__path__ = [queuectl.__path__[0] + "/storage"]
sys.modules["queuectl.storage"] = storage
import queuectl.settings, queuectl.storage.client, queuectl.storage.url
print(*(set({costly.split()!r}) | {{"platformdirs", "tomllib", "tomli", "redis"}}) & set(sys.modules))
"""
    result = subprocess.run(
        [sys.executable, "-S", "-c", program],  # -S: what a site imports isn't ours
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert result.stdout.split() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_socket_of_another_user_is_refused(spare_server: Start) -> None:
    server = spare_server()
    os.chown(server.socket_path, 65534, -1)
    storage = RedisStorage(f"unix://{server.socket_path}")
    with pytest.raises(BadConfiguration, match="belongs to another user"):
        storage.ask(word(b"PONG"), "PING")
    os.chown(server.socket_path, 0, -1)
    assert storage.ask(word(b"PONG"), "PING") == b"PONG"
    storage.close()
