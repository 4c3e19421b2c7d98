"""Any typed or piped input: an answer or an error, no traceback, and refused input changes nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz.examples import HOSTILE, commands, fuzzed, words
from inprocess import Said, call
from queuectl.storage import RedisStorage
from steps import add_as

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

USAGE, BAD_CONFIGURATION = 2, 78
CODES = {0, 1, USAGE, 3, 69, BAD_CONFIGURATION}
NOT_FUZZED = ("--wait-for-server",)
"""It waits for ever, which is what it is for."""

COMMANDS = commands()
ORDERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


JOB = "abcd0123abcd0123"
plausible = st.sampled_from(["true", "1", "3", "0.5", "5s", "dead", "pending", JOB[:4], JOB, "-", "q", "1:abcd"])


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with what it may be given, and with what it may not."""
    path = draw(st.sampled_from(sorted(COMMANDS)))
    options = st.sampled_from([option for option in COMMANDS[path] if option not in NOT_FUZZED])
    values = plausible if draw(st.booleans()) else plausible | words
    part = st.one_of(
        options.map(lambda option: [option]),
        st.tuples(options, values).map(list),
        st.tuples(options, values).map(lambda pair: ["=".join(pair)]),
        values.map(lambda value: [value]),
    )
    before = (
        draw(st.lists(st.sampled_from(COMMANDS[()]) | words, max_size=2)) if draw(st.integers(0, 7)) == 0 else []
    )
    return [*before, *path, *(word for one in draw(st.lists(part, max_size=3)) for word in one)]


def stored(queue: RedisStorage) -> object:
    """All that a refused command must not change."""
    keys = sorted(queue.exchange([("KEYS", "*")])[0])
    (config,) = queue.exchange([("HGETALL", queue.keys.config)])
    return keys, config


def decent(said: Said) -> None:
    """No order to a terminal on stderr, and an error begins as one."""
    text = said.err.decode("utf-8")
    assert not ORDERS.search(text), text
    assert said.code in CODES, said
    if said.code in (USAGE, BAD_CONFIGURATION):
        assert re.match("Error: |Usage: ", text), text
        assert len(text) < 3_000, len(text)


@fuzzed
@given(command_lines(), st.binary(max_size=50))
@example(["list", "--after", "1:\udcff"], b"")
@example(["list", "--after", "1_0:abcd"], b"")
@example(["worker", "start", "--ready-fd", "9" * 19], b"")
def test_any_command_line(queue: RedisStorage, line: list[str], stdin: bytes) -> None:
    add_as(queue, [JOB])
    before = stored(queue)
    said = call(*line, stdin=stdin)
    decent(said)
    if said.code in (USAGE, BAD_CONFIGURATION):
        assert stored(queue) == before
    queue.r.flushall()


@fuzzed
@given(st.lists(st.sampled_from(["--timeout", "--max-retries", "--backoff-base", "--backoff-factor"]) | words))
def test_the_quick_way_and_the_long_way_agree(queue: RedisStorage, parts: list[str]) -> None:
    codes = []
    for more in ((), ("--json",)):
        before = queue.r.llen("queuectl:jobs")
        said = call("enqueue", *more, *parts)
        decent(said)
        codes.append(said.code)
        assert queue.r.llen("queuectl:jobs") - before == (said.code == 0 and b"Usage" not in said.out)
    assert codes[0] == codes[1]
    queue.r.flushall()


lines = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            [b"true", b"# comment", b"", b"\r", b"a\0b", b"\xff\xfe", b'{"command": "true"}', b"{", b"[]"]
        ),
        st.sampled_from(HOSTILE).map(lambda text: text.encode("utf-8", "surrogateescape")),
    ),
    max_size=8,
)


@fuzzed
@given(lines, st.sampled_from([(), ("--null",), ("--json",)]))
def test_a_batch_is_stored_whole_or_not_at_all(
    queue: RedisStorage, batch: list[bytes], more: tuple[str, ...]
) -> None:
    end = b"\0" if more == ("--null",) else b"\n"
    data = end.join(batch)
    said = call("enqueue", "--from", "-", *more, stdin=data)
    decent(said)
    ids = said.out.split(b"\n")[:-1]
    stored_ids = queue.exchange([("LRANGE", "queuectl:jobs", 0, -1)])[0]
    assert len(stored_ids) == len(ids)
    if said.code == 0:
        wanted = [part if end == b"\0" else part.removesuffix(b"\r") for part in data.split(end)]
        wanted = [part for part in wanted if part.strip() and (end == b"\0" or not part.lstrip().startswith(b"#"))]
        kept = [queue.exchange([("HGET", b"queuectl:jobs:" + one, "command")])[0] for one in stored_ids[::-1]]
        assert kept == wanted
    else:
        assert (said.code, ids) == (USAGE, [])
    queue.r.flushall()
