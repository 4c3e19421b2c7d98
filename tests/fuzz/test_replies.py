"""Any reply of any server: each parser takes what its script gives and refuses the rest, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakes import INFO, FakeServer, encoded, fake_server
from fuzz.examples import fuzzed, values
from fuzz.test_command_line import decent
from inprocess import call
from queuectl.errors import BadConfiguration, NotAServer
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import Outcome
from queuectl.storage.calls import integrity, jobs, leases, workers
from queuectl.storage.codec import LEASE_FIELDS
from queuectl.storage.parser import Parser
from queuectl.storage.scripts import Call, names
from queuectl.storage.url import RedisURL

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

ID = "abcd0123abcd0123"
ROW = [ID.encode(), 1, *(b"true" if name == "command" else None for name in LEASE_FIELDS)]
LEASE = leases.Invalid(ID, 1, "")
OUTCOME = Outcome("completed", 0, "", "")

CALLS: dict[str, tuple[Call[Any], list[Any]]] = {
    "cancel": (jobs.cancel([ID, ID]), [[b"cancelled", b"missing"]]),
    "claim": (
        leases.claim("host-1", 30, 2),
        [[b"ok", b"1.5", 3, ROW, ROW], [b"stopped", b"", 0], [b"newer", b"", 1, b"2"]],
    ),
    "clear": (jobs.clear(), [[b"", 3], [b"1700000000.000001", 500]]),
    "delete": (jobs.delete(JobState.DEAD, [ID]), [[], [ID.encode()]]),
    "disown": (leases.disown("host-1", 2, [LEASE]), [1]),
    "dlq_retry": (jobs.dlq_retry([ID]), [[b"retried"]]),
    "enqueue": (jobs.enqueue([jobs.NewJob(ID, b"true")]), [[b"ok"], [b"exists", ID.encode()], [b"newer", b"2"]]),
    "find": (jobs.find("abcd"), [[ID.encode()]]),
    "finish": (leases.finish("host-1", [(LEASE, OUTCOME, "host-1-1")]), [[b"completed"]]),
    "fsck_hints": (integrity.fsck_hints(JobState.DEAD, [ID], "1", repair=False), [[], [ID.encode()]]),
    "fsck_jobs": (integrity.fsck_jobs([ID], repair=True), [[], [ID.encode(), b"is gone", 1]]),
    "heartbeat": (
        workers.heartbeat("host-1", "host", 1, lease_seconds=30, life_seconds=60, workers=[]),
        [[b"true", b"0.5", 2, [ID.encode(), b"1"], [], b"1700000000.5"]],
    ),
    "overview": (workers.overview(), [[[1, 2, 3, 4, 5, 6], [b"host-1-1"], b"", []]]),
    "page": (
        jobs.page([JobState.DEAD], 2),
        [[[b"3:1:abcd", b"abcd", [b"status", b"dead", b"command", b"true"]], [b"3:1:abce", b"abce", []]]],
    ),
    "prune": (jobs.prune(), [[ID.encode()]]),
    "recover": (leases.recover(["host-1"]), [[-1, 3]]),
    "resume": (workers.resume(), [1]),
    "retire": (workers.retire("host-1", []), [1]),
    "stop": (workers.stop(), [3]),
    "unkillable": (leases.note_unkillable("host-1", [leases.Held(ID, 1, "host-1-1", "7:9", "pid 7")]), [1]),
    "watch": (jobs.watch(ID), [b"dead"]),
}
"""A call of each script, and replies that it gives."""

WORDS = (b"ok", b"OK", b"stopped", b"newer", b"exists", b"true", b"", b"0", b"-1", b"1.5", b"nan", b"inf", b"1e400",
         ID.encode(), b"abcd\xff", b"ABCD", b"9" * 30, b"\xc2\xb2", b"\xff", b"dead", b"3:nan:abcd")  # fmt: skip
parts = st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from(WORDS) | values
anything = st.recursive(parts, lambda part: st.lists(part, max_size=7), max_leaves=12)
RESP3 = (b"#t\r\n", b"#f\r\n", b"_\r\n", b",1.5\r\n", b",nan\r\n", b"%1\r\n+a\r\n+b\r\n", b"~1\r\n+a\r\n",
         b"(99\r\n", b"=6\r\ntxt:ok\r\n", b">2\r\n+a\r\n+b\r\n", b"%1\r\n*0\r\n+b\r\n")  # fmt: skip


@st.composite
def altered(draw: st.DrawFn, genuine: Any) -> Any:
    """A reply with something else in one place."""
    if not isinstance(genuine, list) or not genuine or draw(st.booleans()):
        return draw(anything)
    at = draw(st.integers(0, len(genuine) - 1))
    if draw(st.integers(0, 3)) == 0:
        return genuine[:at] + draw(st.lists(anything, max_size=2)) + genuine[at + draw(st.booleans()) :]
    return [*genuine[:at], draw(altered(genuine[at])), *genuine[at + 1 :]]


def read(call_: Call[Any], sent: bytes) -> None:
    """Do what a connection does with the bytes of a reply."""
    parser, replies = Parser(RedisURL()), list[Any]()
    parser.feed(sent)
    parser.take(replies, 1)
    for reply in replies:
        if not isinstance(reply, Exception) and call_.shape(reply):
            try:
                call_.parse(reply)
            except BadConfiguration:
                assert reply[0] == b"newer"


def test_every_script_is_among_them() -> None:
    assert sorted(CALLS) == names()


@pytest.mark.parametrize("name", CALLS)
def test_what_a_script_gives_is_taken(name: str) -> None:
    call_, genuine = CALLS[name]
    for reply in genuine:
        assert call_.shape(reply), reply
        read(call_, encoded(reply))


@pytest.mark.parametrize("name", CALLS)
def test_anything_else_is_taken_or_refused(name: str) -> None:
    call_, genuine = CALLS[name]

    @fuzzed
    @given(st.sampled_from(genuine).flatmap(altered) | anything)
    @example(None)
    @example([])
    @example([b"ok", b""])
    @example([b"ok", b"1" * 5_000, 1])
    @example([[]])
    @example(b"OK")
    @example(-1)
    def check(reply: Any) -> None:
        read(call_, encoded(reply))

    check()


@pytest.mark.parametrize("name", CALLS)
def test_damaged_bytes_are_taken_or_refused(name: str) -> None:
    call_, genuine = CALLS[name]

    @fuzzed
    @given(
        st.sampled_from(genuine).map(encoded), st.integers(0, 200), st.sampled_from(RESP3) | st.binary(max_size=8)
    )
    def check(sent: bytes, at: int, damage: bytes) -> None:
        with suppress(NotAServer):
            read(call_, sent[:at] + damage + sent[at + len(damage) :])

    check()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    with fake_server(lambda _: b"") as server:
        monkeypatch.setenv("QUEUECTL_REDIS_URL", server.url)
        yield server


COMMANDS = (
    ("enqueue", "true"), ("enqueue", "--json", "true"), ("enqueue", "--durable", "true"), ("status",), ("list",),
    ("show", "abcd"), ("cancel", "abcd"), ("logs", "abcd"), ("dlq", "list"), ("dlq", "retry", "abcd"),
    ("worker", "list"), ("worker", "stop"), ("worker", "resume"), ("worker", "start"), ("run", "true"),
    ("config", "show"), ("config", "set", "--max-retries", "1"), ("config", "reset"),
)  # fmt: skip
"""Those that ask a few questions: one that walks through the queue would follow a liar for as long as it lies."""


@fuzzed
@given(st.sampled_from(COMMANDS), st.sampled_from(list(CALLS)).flatmap(lambda name: altered(CALLS[name][1][0])))
@example(("enqueue", "true"), b"OK")
@example(("enqueue", "true"), [b"abc"])
@example(("enqueue", "true"), [b"exists", ID.encode()])
@example(("enqueue", "true"), [b"ok", b"ok"])
@example(("enqueue", "true"), None)
@example(("worker", "start"), None)
@example(("enqueue", "--durable", "true"), [1, 0])
def test_every_command_meets_any_reply(fake: FakeServer, words: tuple[str, ...], reply: Any) -> None:
    fake.answer = lambda command: encoded(INFO if command[0] == b"INFO" else reply)
    said = call(*words)
    decent(said)
    assert said.code in (0, 69) or words[0] != "enqueue" or said.code == 78, said
    if words[0] == "enqueue" and reply != [b"ok"]:
        assert said.code != 0
        assert said.out == b""


@fuzzed
@given(st.sampled_from(COMMANDS), anything | st.sampled_from([b"", b"redis_version:", b"redis_version:\xc2\xb2.0"]))
def test_every_command_meets_any_info(fake: FakeServer, words: tuple[str, ...], info: Any) -> None:
    fake.answer = lambda command: encoded(info if command[0] == b"INFO" else [b"ok"])
    decent(call(*words))


@fuzzed
@given(st.sampled_from(COMMANDS), st.sampled_from(RESP3))
def test_every_command_meets_types_of_a_later_protocol(
    fake: FakeServer, words: tuple[str, ...], sent: bytes
) -> None:
    fake.answer = lambda command: encoded(INFO) if command[0] == b"INFO" else sent
    said = call(*words)
    decent(said)
    assert said.code != 0 or words[0] != "enqueue"
