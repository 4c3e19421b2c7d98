"""A connection's event-loop side: calls go out without waiting, their answers come to callbacks later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from queuectl.errors import QueuectlError
from queuectl.storage.client import Connection
from queuectl.storage.replies import error_from
from queuectl.storage.scripts import Call, Command, command

T = TypeVar("T")


class Link:
    """Collects calls until `flush`, and hands each reply to its callback, in order.

    The owner watches `fileno()` for reading, and for writing while `wants_write`. `flush` and
    `receive` raise ServerUnreachable when the connection is lost; what was not answered may have happened.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.connection = connection
        self._namespace = namespace
        self._sent: deque[tuple[Call[Any] | None, Callable[[Any], None]]] = deque()
        self._known: set[str] = set()
        self._outbox: list[Command] = []

    @property
    def wants_write(self) -> bool:
        """Whether something is left to send."""
        return self.connection.wants_write

    @property
    def has_unsent(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._outbox) or self.connection.wants_write

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self.connection.fileno()

    def call(self, call: Call[T], then: Callable[[T], None]) -> None:
        """Run a script; ``then`` gets its parsed reply."""
        cached = call.script in self._known
        self._known.add(call.script)
        self._sent.append((call, then))
        self._outbox.append(command(call, self._namespace, cached=cached))

    def command(self, parts: Command, then: Callable[[Any], None]) -> None:
        """Run a plain command; ``then`` gets its raw reply."""
        self._sent.append((None, then))
        self._outbox.append(parts)

    def flush(self) -> None:
        """Send all that was called since the last time, in one go, and what the socket could not take then."""
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            self.connection.send(outbox)
        elif self.connection.wants_write:
            self.connection.flush()

    def receive(self) -> None:
        """Take what has come in and call back; raises QueuectlError for a reply that is an error."""
        for reply in self.connection.receive():
            call, then = self._sent.popleft()
            if isinstance(reply, Exception):
                if call and str(reply).startswith("NOSCRIPT"):
                    # SCRIPT FLUSH, or another server: the script failed as a whole, so it can run again.
                    self._sent.append((call, then))
                    self._outbox.append(command(call, self._namespace, cached=False))
                    continue
                raise self._failure(reply)
            then(call.parse(reply) if call else reply)

    def close(self) -> None:
        """Close; callbacks that wait are never called."""
        self._sent.clear()
        self.connection.close()

    def _failure(self, reply: Exception) -> QueuectlError:
        self.close()
        return error_from(reply)
