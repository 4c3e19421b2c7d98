"""The Lua scripts: one file per transition, called by its SHA-1.

A script lists the shared parts it uses in a line ``-- uses: state config``, and so do these parts. We put them all
before its body, each once and after the parts it uses itself, but after the ``#!lua`` line, which must stay first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

from queuectl.storage.parser import MOST_BYTES
from queuectl.storage.shapes import Shape

_FOLDER = os.path.join(os.path.dirname(__file__), "lua")

CHUNK = 500
"""The most ids per script call, so that no call blocks the server."""

JOBS = 25
"""The most whole jobs that a reply may hold: their commands may have a megabyte each."""

JOB_BYTES = 1_100_000
"""The most bytes of a job in a reply: the longest command, and all else."""

T = TypeVar("T")
Argument = str | bytes | int | float
Command = tuple[Argument, ...]


class Call(Generic[T]):
    """One script, its arguments, the shape of its reply, and the parser for it.

    ``reads``: the script only reads, so a user who may not write can run it. ``jobs``: how many whole jobs the
    reply may hold, which limits its size.
    """

    __slots__ = ("arguments", "most_bytes", "parse", "reads", "script", "shape")

    def __init__(
        self,
        script: str,
        arguments: tuple[Argument, ...],
        shape: Shape,
        parse: Callable[[Any], T],
        *,
        reads: bool = False,
        jobs: int = 0,
    ) -> None:
        self.script = script
        self.arguments = arguments
        self.shape = shape
        self.parse = parse
        self.reads = reads
        self.most_bytes = MOST_BYTES + jobs * JOB_BYTES


def command(call: Call[Any], namespace: str, *, cached: bool) -> Command:
    """Return the command that runs ``call`` in ``namespace``.

    ``cached``: call by digest a script that this process has sent before. The first time we send the whole text,
    which the server then caches. That saves a short command a failed try, and loading hashlib.
    """
    suffix = "_RO" if call.reads else ""
    if cached:
        return (f"EVALSHA{suffix}", digest(call.script, call.reads), 1, f"{namespace}:", *call.arguments)
    return (f"EVAL{suffix}", source(call.script, call.reads), 1, f"{namespace}:", *call.arguments)


@cache
def source(name: str, reads: bool = False) -> bytes:
    """Return the text of ``lua/<name>.lua`` with its shared parts; ``reads``: flagged so that it can't write."""
    shebang, _, body = _read(f"{name}.lua").partition("\n")
    if reads and "no-writes" not in shebang:
        shebang = "#!lua flags=no-writes"
    parts: dict[str, str] = {}
    _collect(body, parts)
    return "\n".join([shebang, *parts.values(), body]).encode()


def _collect(text: str, parts: dict[str, str]) -> None:
    """Add the shared parts that ``text`` uses to ``parts``, name to text, dependencies first."""
    uses = next((line for line in text.splitlines() if line.startswith("-- uses:")), "-- uses:")
    for part in uses.removeprefix("-- uses:").split():
        if part not in parts:
            included = _read(f"include/{part}.lua")
            _collect(included, parts)
            parts[part] = included


@cache
def digest(name: str, reads: bool = False) -> str:
    """Return the SHA-1 of a script's text, under which the server caches it."""
    import hashlib

    return hashlib.sha1(source(name, reads), usedforsecurity=False).hexdigest()


def texts(reply: Sequence[bytes]) -> list[str]:
    """A list of texts in a reply."""
    return [part.decode("utf-8", "replace") for part in reply]


def due_from(text: bytes) -> float | None:
    """Seconds until something is due; None for "", when nothing is planned."""
    return float(text) if text else None


def load_all() -> None:
    """Read all scripts now, so that none must be opened later when there may be no free descriptor."""
    for name in names():
        digest(name)


def names() -> Iterable[str]:
    """Return the names of all scripts."""
    return sorted(entry.removesuffix(".lua") for entry in os.listdir(_FOLDER) if entry.endswith(".lua"))


def _read(path: str) -> str:
    with open(os.path.join(_FOLDER, path), encoding="utf-8") as file:
        return file.read()
