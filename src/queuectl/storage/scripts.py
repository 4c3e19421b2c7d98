"""The Lua scripts: one file per transition, called by its SHA-1.

A script names the shared parts it uses in a line ``-- uses: state config``, and so do these parts: all are put in
front of its body, each once and after those that it uses itself, behind the ``#!lua`` line that must stay first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

_FOLDER = os.path.join(os.path.dirname(__file__), "lua")

CHUNK = 500
"""Jobs that one script call handles at most, so that no call holds up the server."""

T = TypeVar("T")
Argument = str | bytes | int | float
Command = tuple[Argument, ...]


class Call(Generic[T]):
    """One script, the arguments for it, and how its reply reads."""

    __slots__ = ("arguments", "parse", "script")

    def __init__(self, script: str, arguments: tuple[Argument, ...], parse: Callable[[Any], T]) -> None:
        self.script = script
        self.arguments = arguments
        self.parse = parse


def command(call: Call[Any], namespace: str, *, cached: bool) -> Command:
    """The command that runs ``call`` in ``namespace``.

    ``cached``: by digest, for a script that this process has sent before. The first time the whole text
    goes along, which the server then keeps: a short command so saves a failed try, and loading hashlib.
    """
    if cached:
        return ("EVALSHA", digest(call.script), 1, namespace, *call.arguments)
    return ("EVAL", source(call.script), 1, namespace, *call.arguments)


@cache
def source(name: str) -> bytes:
    """The text of ``lua/<name>.lua`` with its shared parts."""
    shebang, _, body = _read(f"{name}.lua").partition("\n")
    parts: dict[str, str] = {}
    _collect(body, parts)
    return "\n".join([shebang, *parts.values(), body]).encode()


def _collect(text: str, parts: dict[str, str]) -> None:
    """Add the shared parts that ``text`` uses to ``parts``, name to text, in an order that Lua can read."""
    uses = next((line for line in text.splitlines() if line.startswith("-- uses:")), "-- uses:")
    for part in uses.removeprefix("-- uses:").split():
        if part not in parts:
            included = _read(f"include/{part}.lua")
            _collect(included, parts)
            parts[part] = included


@cache
def digest(name: str) -> str:
    """The SHA-1 of a script's text, under which the server caches it."""
    import hashlib

    return hashlib.sha1(source(name), usedforsecurity=False).hexdigest()


def texts(reply: Sequence[bytes]) -> list[str]:
    """A list of texts in a reply."""
    return [part.decode("utf-8", "replace") for part in reply]


def due_from(text: bytes) -> float | None:
    """Seconds until something is due; None for "", when nothing is planned."""
    return float(text) if text else None


def load_all() -> None:
    """Read all scripts now: one that is needed when no file can be opened is there already."""
    for name in names():
        digest(name)


def names() -> Iterable[str]:
    """The names of all scripts."""
    return sorted(entry.removesuffix(".lua") for entry in os.listdir(_FOLDER) if entry.endswith(".lua"))


def _read(path: str) -> str:
    with open(os.path.join(_FOLDER, path), encoding="utf-8") as file:
        return file.read()
