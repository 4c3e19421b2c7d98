"""Terminal control sequences in every field, shown by every command: none gets through."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import pytest

from inprocess import Said, call
from queuectl.logs.writer import LogWriter
from queuectl.server.embedded import EmbeddedServer
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import WorkerState
from queuectl.worker.report import Reporter
from steps import add_as, beat

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PAYLOADS = {
    "clear the screen": b"\x1b[2J\x1b[H",
    "colour": b"\x1b[31;1m",
    "title": b"\x1b]0;owned\x07",
    "link (OSC 8)": b"\x1b]8;;http:evil\x1b\\text\x1b]8;;\x1b\\",
    "clipboard (OSC 52)": b"\x1b]52;c;aGk=\x07",
    "answer back": b"\x1b[6n\x1b[c\x05",
    "device control (DCS)": b"\x1bP$q\x1b\\",
    "application command (APC)": b"\x1b_G\x1b\\",
    "privacy message": b"\x1b^x\x1b\\",
    "an order cut short": b"\x1b[",
    "C1, 8 bits": b"\x9b31m\x9d0;x\x9c",
    "C1, UTF-8": b"\xc2\x9b31m\xc2\x9d0;x\xc2\x9c",
    "carriage return": b"real\rfake",
    "line break": b"real\n\nError: fake",
    "backspace": b"real\x08\x08\x08\x08fake",
    "bell": b"\x07",
    "delete": b"\x7f\x7f",
    "other character set": b"\x0e\x0f",
    "tab, vertical tab, form feed": b"a\tb\vc\fd",
    "bidirectional override": "\u202etxt\u202c".encode(),
    "bidirectional isolate": "\u2066txt\u2069\u061c\u200f".encode(),
    "zero width": "a\u200bb\u200dc\ufeffd\u00ad".encode(),
    "line and paragraph separator": "a\u2028b\u2029c".encode(),
    "tags": "\U000e0041\U000e0042".encode(),
    "private use": "\ue000".encode(),
    "no UTF-8": b"\xff\xfe\xc3(",
    "half characters": b"\xed\xa0\x80",
    "NUL": b"a\0b",
    "markup": b"[bold red]x[blink] %s {0} &lt;",
}

TYPEABLE = {name: payload for name, payload in PAYLOADS.items() if b"\0" not in payload}
"""What a program can be given as an argument, a variable or the name of a folder."""

ORDERS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
JOB, PROGRAM, SPOILED = "aaaa000011112222", "bbbb000011112222", "cccc000011112222"
WIDE = {"COLUMNS": "3000", "NO_COLOR": "1"}

SHOWING = (
    ("list",), ("list", "--state", "dead"), ("dlq", "list"), ("show", JOB), ("show", PROGRAM), ("show", SPOILED),
    ("status",), ("worker", "list"), ("fsck",), ("config", "show"), ("config", "show", "--origin"), ("logs", JOB),
    ("logs", PROGRAM), ("logs", "--all", JOB), ("logs", "--follow", JOB), ("cancel", JOB), ("cancel", "dddd"),
    ("show", "dddd"), ("dlq", "retry", SPOILED),
)  # fmt: skip


def field(name: str, payload: bytes) -> bytes:
    """A value with the payload in its middle, known by its name wherever it is shown."""
    return f"K{name}".encode() + payload + b"Z"


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def orders_in(data: bytes) -> list[str]:
    text = data.decode("utf-8")  # what is no UTF-8 would be an 8-bit control for some
    return [character for character in text.replace("\n", "") if unicodedata.category(character) in ORDERS]


@pytest.fixture
def queue(named_queue: RedisStorage) -> RedisStorage:
    return named_queue


def infest(queue: RedisStorage, home: Path, payload: bytes) -> None:
    """Puts the payload into every field of jobs and workers that is shown."""
    add_as(queue, [JOB, PROGRAM, SPOILED])
    for job_id, fields in (
        (JOB, {"command": "cmd", "cwd": "cwd", "queue": "que", "reason": "rea", "worker": "wrk", "host": "hos"}),
        (PROGRAM, {"command": "exe"}),
        (SPOILED, {"attempts": "bad"}),
    ):
        pairs = [part for name, mark in fields.items() for part in (name, field(mark, payload))]
        queue.exchange([("HSET", queue.keys.job(job_id), "status", "dead", *pairs)])
    if not is_text(payload):
        queue.exchange([("HDEL", queue.keys.job(JOB), "queue")])  # or it is no valid job
    queue.exchange([("HSET", queue.keys.job(PROGRAM), "form", "exec")])
    queue.exchange([("ZREM", "queuectl:idx:pending", JOB, PROGRAM, SPOILED)])
    queue.exchange([("ZADD", "queuectl:idx:dead", 1, JOB, 2, PROGRAM, 3, SPOILED, 4, field("fid", payload))])
    beat(queue, WorkerState("plain-1", "busy", JOB, 1))
    name = field("wna", payload if is_text(payload) else b"")  # else it can't be looked up
    pairs = [part for key in ("status", "job", "host") for part in (key, field(key[:3], payload))]
    queue.exchange(
        [("HSET", b"queuectl:worker:" + name, *pairs, "pid", "1"), ("ZADD", "queuectl:workers", "inf", name)]
    )
    queue.exchange([("HSET", "queuectl:config", "max_retries", payload, payload, payload)])
    queue.exchange([("SADD", "queuectl:ids:dddd", b"dddd" + payload)])
    queue.exchange([("HSET", b"queuectl:jobs:dddd" + payload, "status", "pending", "command", "true")])
    queue.exchange([("LPUSH", "queuectl:set_aside", field("asi", payload))])
    home.mkdir(0o700)
    log = LogWriter(home, JOB, 1, 1)
    log.write(field("log", payload) + b"\n")
    log.close()


def clean(said: Said, why: object) -> None:
    assert orders_in(said.out) == [], (why, said)
    assert orders_in(said.err) == [], (why, said)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_nothing_stored_gives_an_order(
    queue: RedisStorage, queuectl_home: Path, payload: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    infest(queue, queuectl_home, payload)
    shown = b""
    for words in SHOWING:
        for terminal in (True, False):
            said = call(*words, terminal=terminal, env=WIDE)
            if words[0] == "logs" and not terminal:
                assert field("log", payload) in said.out or PROGRAM in words, "into a pipe the bytes go as they are"
                said = said._replace(out=b"")
            elif words[0] == "logs":
                said = said._replace(out=said.out.replace(b"\t", b" "))  # which a log may have
            clean(said, words)
            shown += said.out + said.err
    fields = "cmd exe cwd rea wrk hos sta job wna asi bad log"
    for name in fields.split():
        assert f"K{name}".encode() in shown, f"{name} is shown somewhere, or this test shows nothing"
    Reporter.say(field("say", payload).decode("utf-8", "surrogateescape"))
    said_by_pool = capfd.readouterr().err
    assert said_by_pool.startswith("queuectl: Ksay")
    assert orders_in(said_by_pool.encode("utf-8", "surrogateescape")) == []


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_json_is_plain_ascii_and_keeps_every_byte(queue: RedisStorage, queuectl_home: Path, payload: bytes) -> None:
    infest(queue, queuectl_home, payload)
    for words in SHOWING:
        if "--all" in words or "--follow" in words:
            continue
        said = call(*words, "--json", terminal=True, env=WIDE)
        clean(said, words)
        assert said.out.isascii()
        objects = [json.loads(line) for line in said.out.splitlines()]
        if words == ("show", JOB):
            assert objects[0]["command"].encode("utf-8", "surrogateescape") == field("cmd", payload)
            assert objects[0]["cwd"].encode("utf-8", "surrogateescape") == field("cwd", payload)


TYPED = (
    ("show", "?"), ("cancel", "?"), ("logs", "?"), ("dlq", "retry", "?"), ("list", "--state", "?"),
    ("list", "--after", "?"), ("list", "?"), ("?",), ("--?",), ("worker", "?"), ("worker", "start", "--count", "?"),
    ("enqueue", "--timeout", "?", "true"), ("enqueue", "--max-retries=?", "true"), ("enqueue", "--?", "true"),
    ("enqueue", "--from", "?"), ("enqueue", "a", "?"), ("config", "set", "--max-retries", "?"), ("run", "a", "?"),
    ("logs", "--attempt", "?", "abcd"), ("--namespace", "?", "status"), ("--redis-url", "?", "status"),
    ("--redis-url", "redis://?:1/0", "--insecure-redis", "status"), ("--redis-url", "?://localhost", "status"),
    ("--redis-url", "unix:///?", "status"), ("--redis-url", "redis://localhost/?", "status"),
    ("--redis-url", "redis://localhost/0?x?=1", "status"), ("--redis-url", "rediss://h?ssl_ca_certs=/?", "status"),
    ("--redis-url", "rediss://h?ssl_cert_reqs=?", "status"), ("--redis-url", "redis://:p@?:x", "status"),
)  # fmt: skip


def words_of(payload: bytes) -> str:
    return os.fsdecode(field("arg", payload))


@pytest.mark.parametrize("payload", TYPEABLE.values(), ids=TYPEABLE.keys())
def test_nothing_typed_gives_an_order(queue: RedisStorage, payload: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(host: str, port: int, timeout_seconds: float) -> object:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("queuectl.storage.client._connect_tcp", refuse)
    for words in TYPED:
        said = call(*(word.replace("?", words_of(payload), 1) for word in words), terminal=True, env=WIDE)
        assert said.code != 0, words
        clean(said, words)


@pytest.mark.parametrize("payload", TYPEABLE.values(), ids=TYPEABLE.keys())
def test_nothing_configured_gives_an_order(tmp_path: Path, payload: bytes, queuectl_home: Path) -> None:
    text = words_of(payload)
    keys = ("HOME", "REDIS_URL", "NAMESPACE", "APPENDFSYNC", "INSECURE_REDIS", "ALLOW_ROOT", "CONFIG")
    environs: list[Mapping[str, str]] = [{f"QUEUECTL_{key}": text} for key in keys]
    (queuectl_home.parent / text).touch()  # not a folder
    environs.append({"QUEUECTL_HOME": str(queuectl_home.parent / text)})
    if is_text(payload):
        for line in ("{} = 'x'", "namespace = {}", "redis_url = {}", "home = {}\nappendfsync = 'x'", "= {}"):
            file = tmp_path / f"{len(environs)}.toml"
            file.write_text(line.format(json.dumps(text)))
            environs.append({"QUEUECTL_CONFIG": str(file)})
    for environ in environs:
        for words in (("config", "show", "--origin"), ("enqueue", "true")):
            if "QUEUECTL_HOME" in environ and "/" not in environ["QUEUECTL_HOME"]:
                continue  # it would be made where the tests are
            said = call(*words, terminal=True, env={**WIDE, **environ})
            assert said.code, (words, environ)
            clean(said, (words, environ))


@pytest.mark.parametrize("payload", TYPEABLE.values(), ids=TYPEABLE.keys())
def test_no_folder_gives_an_order(payload: bytes, queuectl_home: Path) -> None:
    home = str(queuectl_home.parent / words_of(payload))
    for words in (("server", "path"), ("server", "status"), ("config", "show", "--origin")):
        on_terminal = call(*words, terminal=True, env={**WIDE, "QUEUECTL_HOME": home})
        assert (b"Karg" in on_terminal.out) or words[0] == "config", on_terminal
        clean(on_terminal, words)
        in_pipe = call(*words, env={**WIDE, "QUEUECTL_HOME": home})
        if words == ("server", "path"):
            assert in_pipe.out == os.fsencode(f"{home}/server/valkey.sock\n"), "for programs, exactly"
        else:
            clean(in_pipe, words)
        if words[0] == "server":
            said = call(*words, "--json", env={**WIDE, "QUEUECTL_HOME": home})
            assert said.out.isascii()
            assert json.loads(said.out)["socket"] == f"{home}/server/valkey.sock"
    EmbeddedServer(home).stop()  # `config show` has started it
