"""Any content of the server's keys: every command reads it, and workers keep working."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import cli
from fuzz.examples import fuzzed, values
from fuzz.test_command_line import decent
from inprocess import call
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

Record = tuple[str, bytes, object]
"""Type, key without its namespace, and content."""

IDS = (b"abcd0123abcd0123", b"abcd0123abcd4567", b"ffff000011112222", b"dead")
FIELDS = tuple(
    b"""
    status command form queue max_retries backoff_base backoff_factor timeout attempts crashes fence cwd
    env created_at started_at finished_at next_retry_at exit_code reason worker host owner watched
    cancel_requested pid heartbeat job limits
    """.split()
)
STATES = tuple(state.value.encode() for state in JobState)
INDEXES = tuple(b"idx:" + state for state in STATES)
HARMLESS = (b"true", b"false", b"echo hi", b"", b" ", b"a\0b", b"true\0x", b": \xff\x1b[2J", b"x" * 140_000)
"""Commands: some of them are run."""

NUMBERS = tuple(
    b"""
    0 1 -1 -5 1.5 1e3 1e300 1e400 -1e400 nan inf -inf 0x10 1_0 9223372036854775807 9223372036854775808
    99999999999999999999
    """.split()
)
numbers = st.sampled_from([*NUMBERS, "²".encode(), "٣".encode()])
ids = st.sampled_from(IDS) | st.sampled_from(
    [b"", b"*", b"../../etc", b"abcd\xff\xfe", b"ABCD", b"a" * 33, b"abcd\n", "абв".encode()]
)
contents = st.one_of(numbers, values, st.sampled_from(STATES), ids)


@st.composite
def jobs(draw: st.DrawFn) -> dict[bytes, bytes]:
    """A hash that is nearly a job."""
    fields = {b"status": draw(st.sampled_from(STATES)), b"command": draw(st.sampled_from(HARMLESS))}
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=6)):
        if name == b"command":
            fields.pop(b"command", None)
        else:
            fields[name] = draw(contents)
    return fields


scores = st.sampled_from([0.0, 1.0, -5.0, 1.8e9, 1e300, float("inf"), float("-inf"), 1e15])
tables = st.dictionaries(ids, scores, min_size=1, max_size=4)
lists = st.lists(ids | contents, min_size=1, max_size=4)

records = st.one_of(
    st.tuples(st.just("hash"), ids.map(lambda one: b"jobs:" + one), jobs()),
    st.tuples(st.just("list"), st.sampled_from([b"jobs", b"dead_letter", b"set_aside", b"wake:default"]), lists),
    st.tuples(
        st.just("zset"),
        st.sampled_from([b"retry_queue", b"running", b"workers", b"runners", *INDEXES]),
        tables,
    ),
    st.tuples(st.just("set"), st.sampled_from([b"ids:abcd", b"ids:ffff", b"ids:dead"]), lists),
    st.tuples(
        st.just("hash"),
        st.sampled_from([b"config", b"worker:abcd0123abcd0123", b"worker:abcd\xff\xfe", b"env:0123"]),
        st.dictionaries(st.sampled_from([*FIELDS, b"variables", b"jobs"]), contents, min_size=1),
    ),
    st.tuples(st.just("string"), st.sampled_from([b"stop_signal", b"schema"]), contents),
)  # fmt: skip

KEYS = (b"jobs", b"running", b"idx:pending", b"idx:dead", b"retry_queue", b"dead_letter", b"config", b"workers",
        b"runners", b"wake:default", b"jobs:dead", b"ids:dead", b"schema", b"template", b"set_aside")  # fmt: skip
misplaced = st.tuples(st.just("misplaced"), st.sampled_from(KEYS), st.sampled_from(["string", "list", "hash"]))


def write(storage: RedisStorage, record: Record) -> None:
    kind, name, content = record
    key = storage.keys.namespace.encode() + b":" + name
    server = storage.exchange
    if kind == "misplaced":
        commands = {"string": ("SET", key, "x"), "list": ("RPUSH", key, "x"), "hash": ("HSET", key, "x", "y")}
        server([("DEL", key), commands[str(content)]])
    elif kind == "hash":
        assert isinstance(content, Mapping)
        server([("HSET", key, *(part for pair in content.items() for part in pair))], raise_errors=False)
    elif kind == "zset":
        assert isinstance(content, Mapping)
        pairs = [part for member, score in content.items() for part in (repr(score), member)]
        server([("ZADD", key, *pairs)], raise_errors=False)
    elif kind == "string":
        server([("SET", key, content)])  # type: ignore[arg-type]
    else:
        assert isinstance(content, list)
        server([("SADD" if kind == "set" else "RPUSH", key, *content)], raise_errors=False)


READERS = (
    ("status",), ("status", "--json"), ("list",), ("list", "--json", "--limit", "0"), ("list", "--state", "dead"),
    ("worker", "list"), ("worker", "list", "--json"), ("dlq", "list"), ("dlq", "list", "--json"),
    ("config", "show"), ("config", "show", "--origin", "--json"), ("show", "abcd"), ("show", "abcd0123abcd0123"),
    ("show", "ffff", "--json"), ("show", "dead"), ("logs", "ffff"), ("logs", "dead", "--json"), ("fsck",),
    ("fsck", "--json"),
)  # fmt: skip
WRITERS = (
    ("cancel", "abcd0123abcd0123", "ffff", "dead"), ("dlq", "retry", "ffff"), ("dlq", "retry", "--all"),
    ("enqueue", "true"), ("config", "set", "--max-retries", "1"), ("fsck", "--repair"), ("queue", "clear", "--yes"),
    ("worker", "stop"), ("worker", "resume"), ("dlq", "clear", "--yes"), ("config", "reset"), ("run", "true"),
)  # fmt: skip


COMMANDS = READERS + WRITERS


@fuzzed
@given(
    st.lists(records | misplaced, min_size=1, max_size=8),
    st.lists(st.sampled_from(COMMANDS), min_size=4, max_size=8),
)
def test_every_command_reads_any_record(
    queue: RedisStorage, mess: list[Record], commands: list[tuple[str, ...]]
) -> None:
    for record in mess:
        write(queue, record)
    for words in commands:
        said = call(*words)
        decent(said)
        assert b"\x1b" not in said.out
    foreign = [key for key in queue.exchange([("KEYS", "*")])[0] if not key.startswith(b"queuectl:")]
    assert foreign == []
    queue.r.flushall()


@pytest.fixture
def pool(queue: RedisStorage, queuectl_home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A pool of two workers that meets it all."""
    try:
        with cli.pool(queue, "--quiet", count=2) as process:
            yield process
    finally:
        cli.end_everything(queuectl_home)


told = (
    st.sampled_from(["cancel", "cancel x ²", "cancel abcd0123abcd0123 1", "", "cancel \0 -1"]).map(str.encode)
    | values
)


def runners_known(queue: RedisStorage) -> list[bytes]:
    """The names of runners that a pool has told of; none, when something else lies in their place."""
    (found,) = queue.exchange([("ZRANGE", "queuectl:runners", 0, -1)], raise_errors=False)
    return [] if isinstance(found, Exception) else found


def keys_of_mess(queue: RedisStorage, mess: list[Record]) -> list[bytes]:
    return [queue.keys.namespace.encode() + b":" + name for _, name, _ in mess]


@fuzzed
@given(st.lists(records | misplaced, min_size=1, max_size=6), st.lists(told, min_size=1, max_size=3))
@example([("string", b"stop_signal", b"")], [b" "])
@example([("string", b"stop_signal", b"")], ["cancel x ²".encode()])
def test_a_worker_works_on(
    queue: RedisStorage, pool: subprocess.Popen[bytes], mess: list[Record], messages: list[bytes]
) -> None:
    # A stop would end the pool, and what the pool says of itself is not to be forged: it is known by that.
    mess = [(kind, name, content) for kind, name, content in mess if (name, content) != (b"stop_signal", b"true")]
    for record in mess:
        write(queue, record)
    queue.exchange([("LPUSH", "queuectl:jobs", *IDS), ("RPUSH", "queuectl:wake:default", "1")], raise_errors=False)
    for runner in runners_known(queue):
        queue.exchange([("RPUSH", b"queuectl:control:" + runner, *messages)], raise_errors=False)
    # What makes every script fail is taken away again; the rest stays until the good job is through.
    queue.exchange(
        [("DEL", f"queuectl:{name.decode()}") for kind, name, _ in mess if kind == "misplaced"]
        + [("DEL", "queuectl:schema")]
    )
    (good,) = cli_enqueue()
    # What a worker has met may have it wait for its next heartbeat, which comes every 20 seconds.
    wait_until(lambda: queue.exchange([("HGET", queue.keys.job(good), "status")]) == [b"completed"], 60)
    job = cli.job(queue, good)
    assert (job.crashes, job.exit_code) == (0, 0)
    said = Path(f"/proc/{pool.pid}/fd/2").read_text(errors="replace")
    assert "died" not in said, said
    assert "Traceback" not in said, said
    queue.exchange([("DEL", *keys_of_mess(queue, mess), *(b"queuectl:jobs:" + one for one in IDS))])


def cli_enqueue() -> list[str]:
    said = call("enqueue", "--max-retries", "0", "echo good")
    assert said.code == 0, said
    return said.out.decode().split()
