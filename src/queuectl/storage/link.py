"""A connection for event loops: calls return without waiting, and callbacks get the answers later."""

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
    """Collects calls until `flush`, and passes each reply to its callback, in order.

    The owner watches `fileno()` for reading, and for writing while `wants_write`. `flush` and `receive` raise
    ServerUnreachable when the connection is lost; calls without an answer may or may not have happened.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.connection = connection
        self._namespace = namespace
        self._sent: deque[tuple[Call[Any] | None, Callable[[Any], None]]] = deque()
        self._known: set[str] = set()
        self._outbox: list[Command] = []

    @property
    def wants_write(self) -> bool:
        """Whether anything is left to send."""
        return self.connection.wants_write

    @property
    def has_unsent(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._outbox) or self.connection.wants_write

    def fileno(self) -> int:
        """Return the descriptor to watch."""
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
        """Send all calls since the last flush at once, and what the socket did not accept then."""
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            self.connection.send(outbox)
        elif self.connection.wants_write:
            self.connection.flush()

    def receive(self) -> None:
        """Read the replies that came in and call back; raise QueuectlError for an error reply."""
        for reply in self.connection.receive():
            call, then = self._sent.popleft()
            if isinstance(reply, Exception):
                if call and str(reply).startswith("NOSCRIPT"):
                    # SCRIPT FLUSH, or another server: the script did not run at all, so it can be sent again.
                    self._sent.append((call, then))
                    self._outbox.append(command(call, self._namespace, cached=False))
                    continue
                raise self._failure(reply)
            then(call.parse(reply) if call else reply)

    def close(self) -> None:
        """Close; pending callbacks are never called."""
        self._sent.clear()
        self.connection.close()

    def _failure(self, reply: Exception) -> QueuectlError:
        self.close()
        return error_from(reply)
