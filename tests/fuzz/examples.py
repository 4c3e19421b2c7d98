"""The sources of hostile input, and how much of it."""

from __future__ import annotations

import os

import hypothesis
from hypothesis import strategies as st

from queuectl.cli import cli
from queuectl.cli.commands import COMMANDS

FEW, MANY = 25, 5_000

fuzzed = hypothesis.settings(
    max_examples=MANY if os.environ.get("HYPOTHESIS_PROFILE") == "long" else FEW,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
"""How often a test of this folder is tried."""

HOSTILE = (
    "",
    " ",
    "-",
    "--",
    "\x1b[2J",
    "\x1b]52;c;aGk=\x07",
    "\x9b31m",
    "\udc9b31m",
    "\u202eevil",
    "a\nb",
    "a\rb",
    "../../etc/passwd",
    "/",
    "*",
    "{a}",
    "{}",
    "%s%n",
    "{0.__class__}",
    "$(id)",
    "'; --",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "-1",
    "0",
    "1",
    "30s",
    "1_0",
    "٣",
    "²",
    "0x10",
    "9" * 19,
    "9" * 400,
    "9" * 5_000,
    "x" * 200_000,
    "\udcff\udcfe",
    "abcd",
    "ABCD",
    "nan:abcd",
    "1:\udcff",
    "1_0:abcd",
    "٣:abcd",
    "redis://",
    "redis://:pass@h\udcff/0",
    "redis://" + "a" * 300,
    "rediss://localhost:1?ssl_cert_reqs=none",
    "unix:///nowhere",
    "unix:///" + "x" * 300,
)
"""Words that have a meaning somewhere, or had one that they should not have had."""

words = st.one_of(
    st.sampled_from(HOSTILE),
    st.binary(max_size=40).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    st.integers().map(str),
    st.floats().map(str),
)
"""What an argument of a program can be: any bytes but NUL."""

values = st.one_of(words.map(os.fsencode), st.binary(max_size=60), st.just(b"a\0b"))
"""What a field of a record can be: any bytes."""


def commands() -> dict[tuple[str, ...], list[str]]:
    """Every command as it is typed, with its options."""
    import click

    found: dict[tuple[str, ...], list[str]] = {}

    def collect(path: tuple[str, ...], command: click.Command) -> None:
        options = [name for option in command.params if isinstance(option, click.Option) for name in option.opts]
        found[path] = [*options, "--help"]
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                collect((*path, name), below)

    collect((), cli)
    assert len(found) > len(COMMANDS)
    return found
