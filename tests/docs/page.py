"""The commands on a page of the documentation: in its ```console blocks, and in hidden comments between them.

    ```console
    $ queuectl enqueue 'echo hello'
    9fa21c07d3b8e645
    ```

A line that begins with ``$ `` is a command, one that begins with ``> `` continues it; the rest is its output.
A comment ``<!-- run`` holds shell lines that a reader need not see; what they print does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PARTS = re.compile(r"^```console\n(?P<block>.*?)^```$|^<!-- run\n(?P<hidden>.*?)^-->$", re.MULTILINE | re.DOTALL)

ROOT = Path(__file__).parents[2]


class Step(NamedTuple):
    """One command of a page. ``first`` and ``last`` are the places of its output in the page's text."""

    command: str
    output: list[str]
    first: int
    last: int
    hidden: bool = False


def pages() -> list[Path]:
    """Every page with commands that run."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if "\n```console\n" in page.read_text(encoding="utf-8")]


def steps(text: str) -> Iterator[Step]:
    """The commands of a page, in order."""
    for part in _PARTS.finditer(text):
        if part["hidden"] is not None:
            yield Step(part["hidden"], [], part.end("hidden"), part.end("hidden"), hidden=True)
        else:
            yield from _block(part["block"], part.start("block"))


def _block(block: str, start: int) -> Iterator[Step]:
    for command in re.finditer(
        r"^\$ (?P<command>.*\n(?:> .*\n)*)(?P<output>(?:(?!\$ ).*\n)*)", block, re.MULTILINE
    ):
        lines = [line.removeprefix("> ") for line in command["command"].splitlines()]
        output = command["output"].splitlines()
        yield Step("\n".join(lines), output, start + command.start("output"), start + command.end("output"))
