"""The real scripts on a real server: takes a step in a given state, and returns the state after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import hiredis

from queuectl.server import binary
from queuectl.storage.client import Connection
from queuectl.storage.scripts import Command, names, source
from queuectl.storage.url import parse
from servers import running

from .actions import Step
from .clients import UP, Clients
from .defects import Defect
from .records import NAMESPACE, Records

PATIENCE_SECONDS = 300.0
"""Longest silence of the server, which waits for a processor on a busy machine."""


class Taken(NamedTuple):
    """A step, the state before it, and its result; the laws judge this."""

    step: Step
    before: Records
    outside: Clients
    reply: Any
    after: Records
    clients: Clients


class ScriptFailed(Exception):
    """A script returned an error."""


class Stage:
    """One connection to a server that holds one state at a time."""

    def __init__(self, connection: Connection, defect: Defect | None) -> None:
        self._connection = connection
        texts = {name: defect.applied(name, source(name)) if defect else source(name) for name in names()}
        self._digests = dict(zip(texts, self._load(texts.values()), strict=True))
        folder = Path(__file__).parent
        self._restore, self._dump = self._load((folder / name).read_bytes() for name in ("load.lua", "dump.lua"))

    def _load(self, texts: Any) -> list[bytes]:
        digests = self._connection.exchange([("SCRIPT", "LOAD", text) for text in texts])
        for digest in digests:
            if isinstance(digest, Exception):
                raise digest
        return digests

    def exchange(self, steps: Sequence[tuple[Step, Records, Clients]]) -> list[list[Any]]:
        """Take each step in its state, all in one pipeline; return the replies for `read`."""
        commands: list[Command] = []
        for step, before, clients in steps:
            # A connected runner reads its messages at once; it may act on them at any time.
            read = [f"control:{runner.name}" for runner in clients.runners if runner.phase == UP]
            commands.append(("EVALSHA", self._restore, 1, NAMESPACE, before.text, *read))
            commands += step.first
            if step.call:
                commands.append(
                    ("EVALSHA", self._digests[step.call.script], 1, f"{NAMESPACE}:", *step.call.arguments)
                )
            commands += step.then
            commands.append(("EVALSHA", self._dump, 1, NAMESPACE))
        replies = iter(self._connection.exchange(commands))
        return [[next(replies) for _ in range(_length(step))] for step, _, _ in steps]

    @staticmethod
    def read(step: Step, before: Records, clients: Clients, replies: list[Any]) -> Taken:
        """Return a step's result."""
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise ScriptFailed(f"{step.text}: {reply}")
        reply = step.call.parse(replies[1 + len(step.first)]) if step.call else None
        return Taken(step, before, clients, reply, Records(replies[-1]), step.learn(clients, reply))


def _length(step: Step) -> int:
    return 2 + len(step.first) + len(step.then) + (step.call is not None)


@contextmanager
def stage(defect: Defect | None = None) -> Iterator[Stage]:
    """Start a stage on its own server, which is removed afterwards."""
    with ExitStack() as stack:
        server = stack.enter_context(running(binary.find().path))
        connection = Connection.open(parse(server.url), timeout_seconds=PATIENCE_SECONDS)
        stack.enter_context(closing(connection))
        yield Stage(connection, defect)
