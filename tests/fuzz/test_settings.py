"""Configuration files, variables and URLs with any content: an answer or an error that names the place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz.examples import fuzzed, values, words
from fuzz.test_command_line import decent
from inprocess import call
from queuectl.errors import BadConfiguration
from queuectl.storage import RedisStorage
from queuectl.storage.url import parse

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

KEYS = ("home", "redis_url", "namespace", "appendfsync", "insecure_redis", "allow_root")

toml_values = st.one_of(
    words.map(lambda word: f'"{word}"'),
    words.map(lambda word: f"'{word}'"),
    words,
    st.sampled_from(
        ["1", "9" * 5_000, "1979-13-45", "[" * 3_000, "{a={}}", "nan", "'''", '"\\ud800"', '"\\u0000"']
    ),
)
files = st.one_of(
    st.binary(max_size=80),
    st.lists(st.tuples(st.sampled_from(KEYS) | words, toml_values), max_size=3).map(
        lambda lines: "\n".join(f"{key} = {value}" for key, value in lines).encode("utf-8", "surrogateescape")
    ),
)


@fuzzed
@given(files, st.sampled_from(["status", "config", "enqueue"]))
@example(b"home = " + b"[" * 3_000, "status")
@example(b"home = " + b"9" * 5_000, "enqueue")
def test_any_configuration_file(queue: RedisStorage, tmp_path: Path, content: bytes, command: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    line = {"config": ("config", "show", "--origin"), "enqueue": ("enqueue", "true")}.get(command, (command,))
    decent(call(*line, env={"QUEUECTL_CONFIG": str(path)}))


@fuzzed
@given(st.sampled_from(["namespace", "appendfsync", "insecure_redis", "redis_url"]), words)
@example("redis_url", "redis://[::1%25\udcff]")
def test_any_variable(queue: RedisStorage, key: str, value: str) -> None:
    decent(call("config", "show", "--origin", env={f"QUEUECTL_{key.upper()}": value}))


@fuzzed
@given(words, words)
@example("²", "")
@example("-1", "")
def test_any_width_and_any_language(queue: RedisStorage, columns: str, language: str) -> None:
    for words_ in (("list",), ("status",), ("config", "show"), ("show", "abcd"), ("--help",)):
        decent(call(*words_, env={"COLUMNS": columns, "LANG": language, "NO_COLOR": language}))


PIECES = tuple(
    """
    redis rediss unix valkey :// : @ / // ? & = # % %00 %ff [ ] localhost 127.0.0.1 ::1 6379
    db ssl_cert_reqs none ssl_ca_certs ssl_certfile host
    """.split()  # noqa: SIM905
)
pieces = st.sampled_from(PIECES)
urls = st.one_of(
    words,
    st.lists(pieces | words, max_size=10).map("".join),
    st.lists(pieces | words, max_size=8).map(lambda parts: "redis://" + "".join(parts)),
)

SECRET = "s3cr3t-w0rd"


@fuzzed
@given(urls)
@example("redis://" + "." * 70)
@example("redis://a..b")
@example("unix:///" + "x" * 200)
def test_any_url(queue: RedisStorage, url: str) -> None:
    try:
        read = parse(url)
    except BadConfiguration:
        pass
    else:
        assert parse(read.redacted())._replace(password=None) == read._replace(password=None) or read.password == ""
    decent(call("--redis-url", url, "--insecure-redis", "status"))


@fuzzed
@given(st.lists(pieces | words, max_size=5).map("".join), st.lists(pieces | words, max_size=5).map("".join))
def test_no_part_of_a_url_gives_its_password_away(queue: RedisStorage, before: str, after: str) -> None:
    for url in (f"redis://{before}:{SECRET}@{after}", f"unix://:{SECRET}@/{after}", f"{before}:{SECRET}@{after}"):
        if url.startswith("unix") and "@" in url.partition("?")[0].partition("://")[2].partition("/")[2]:
            continue  # there it is a part of the socket's name
        for command in (("status",), ("config", "show", "--origin"), ("enqueue", "true")):
            said = call("--redis-url", url, *command)
            assert SECRET not in said.both


@fuzzed
@given(st.lists(values, max_size=3))
def test_any_folder_name(queue: RedisStorage, tmp_path: Path, parts: list[bytes]) -> None:
    home = os.fsencode(tmp_path) + b"/" + b"/".join(part.replace(b"\0", b"")[:200] for part in parts)
    for line in (("status",), ("config", "show", "--origin"), ("worker", "list"), ("worker", "start")):
        decent(call(*line, env={"QUEUECTL_HOME": os.fsdecode(home)}))
