"""The fast path of `enqueue` does what the normal path does, and leaves unusual input to it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import cli
from queuectl import quick

FORMS = [
    ["echo hi"],
    ["--timeout", "5", "echo hi"],
    ["--timeout=5", "--max-retries", "1", "--backoff-base=3", "--backoff-factor", "1.5", "echo hi"],
    ["--", "printf", "%s", "a b", "-x", "--"],
    ["--max-retries", "0", "--", "ls", "-l"],
    ["--memory", "1G", "--cpu-time=10m", "--max-output", "100k", "--max-processes", "20", "echo hi"],
    ["--memory", "much", "x"],
    ["--cpu-time", "-1", "x"],
    ["--max-output", "1XB", "x"],
    ["--max-processes", "1.5", "x"],
    [b"echo \xff"],
    [""],
    ["--timeout", "-1", "x"],
    ["--max-retries", "many", "x"],
]


@pytest.mark.parametrize("words", FORMS, ids=str)
def test_both_ways_give_the_same(words: list[cli.Word]) -> None:
    short = cli.run("enqueue", *words, code=None)
    long = cli.run("--namespace", "queuectl", "enqueue", *words, code=None)
    assert (short.code, short.err) == (long.code, long.err.replace("queuectl --namespace queuectl ", "queuectl "))
    if short.code == 0:
        one, other = cli.show(short.lines[0]), cli.show(long.lines[0])
        differ = {name for name in one if one[name] != other[name]}
        assert differ == {"id", "created_at"}


@pytest.mark.parametrize(
    "words",
    [
        ["enqueue"], ["enqueue", "--help"], ["enqueue", "a", "b"], ["enqueue", "--json", "a"], ["enqueue", "--"],
        ["enqueue", "--from", "x"], ["enqueue", "a", "--timeout", "3"], ["--namespace", "x", "enqueue", "a"],
        ["enqueue", "--timeout"], ["enqueue", "--unknown", "a"], ["list"], [],
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_plain_takes_the_long_way(words: list[str]) -> None:
    assert quick.run(words) is None


def test_it_loads_neither_click_nor_the_rest_of_the_storage() -> None:
    cli.run("server", "start")  # starting it needs more, once
    code = (
        "import json, sys; sys.argv = ['queuectl', 'enqueue', 'true']\n"
        "from queuectl.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(json.dumps(sorted(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    loaded = set(json.loads(said.splitlines()[1]))
    unwanted = {"click", "inspect", "redis", "logging", "subprocess", "hashlib"}
    unwanted |= {"queuectl.storage.calls.leases", "queuectl.storage.codec", "queuectl.model.job"}
    assert loaded.isdisjoint(unwanted)
