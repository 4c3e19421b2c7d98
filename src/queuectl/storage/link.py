"""A connection for event loops: calls return without waiting, and callbacks get the answers later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from queuectl.errors import QueuectlError
from queuectl.storage.client import Connection
from queuectl.storage.replies import error_from, unknown_reply
from queuectl.storage.scripts import Call, Command, command
from queuectl.storage.shapes import Shape

T = TypeVar("T")


class _Sent(NamedTuple):
    """A call on its way: its name, the shape of its reply, and who gets that.

    ``call`` is the script, to send it again; ``blocks_seconds`` is how long the command itself may wait.
    """

    name: str
    shape: Shape
    then: Callable[[Any], None]
    call: Call[Any] | None = None
    blocks_seconds: float = 0.0


class Link:
    """Collects calls until `flush`, and passes each reply to its callback, in order.

    The owner watches `fileno()` for reading, and for writing while `wants_write`, and calls `check` now and then.
    Each raises a QueuectlError when the connection is lost or a reply is none that the call gives; calls without an
    answer may or may not have happened.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.connection = connection
        self._namespace = namespace
        self._sent: deque[_Sent] = deque()
        self._waits_since: float | None = None
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

    @property
    def is_idle(self) -> bool:
        """Whether no call waits for an answer."""
        return not self._sent

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self.connection.fileno()

    def call(self, call: Call[T], then: Callable[[T], None]) -> None:
        """Run a script; ``then`` gets its parsed reply."""
        cached = call.script in self._known
        self._known.add(call.script)
        self._sent.append(_Sent(call.script, call.shape, lambda reply: then(call.parse(reply)), call))
        self._outbox.append(command(call, self._namespace, cached=cached))
        if call.most_bytes > self.connection.most_bytes:
            self.connection.most_bytes = call.most_bytes

    def command(
        self, parts: Command, shape: Shape, then: Callable[[Any], None], *, blocks_seconds: float = 0.0
    ) -> None:
        """Run a plain command; ``then`` gets its reply. ``blocks_seconds``: how long it may wait for something."""
        self._sent.append(_Sent(str(parts[0]), shape, then, None, blocks_seconds))
        self._outbox.append(parts)

    def flush(self) -> None:
        """Send all calls since the last flush at once, and what the socket did not accept then."""
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            self.connection.send(outbox)
        elif self.connection.wants_write:
            self.connection.flush()

    def receive(self) -> None:
        """Read the replies that came in and call back."""
        for reply in self.connection.receive(len(self._sent)):
            sent = self._sent.popleft()
            self._waits_since = None
            if isinstance(reply, Exception):
                if sent.call and str(reply).startswith("NOSCRIPT"):
                    # SCRIPT FLUSH, or another server: the script did not run at all, so it can be sent again.
                    self._sent.append(sent)
                    self._outbox.append(command(sent.call, self._namespace, cached=False))
                    continue
                raise self._failure(error_from(reply))
            if not sent.shape(reply):
                raise self._failure(unknown_reply(str(self.connection.url), sent.name, reply))
            sent.then(reply)

    def check(self, now: float) -> float | None:
        """Check that the oldest call is answered in time; return when to check again, None if nothing is awaited.

        Each reply has its own time, which begins when the one before has come.
        """
        if not self._sent:
            return None
        if self._waits_since is None:
            self._waits_since = now
        limit = self.connection.timeout_seconds + self._sent[0].blocks_seconds
        if now - self._waits_since >= limit:
            raise self.connection.late(limit)
        return self._waits_since + limit

    def close(self) -> None:
        """Close; pending callbacks are never called."""
        self._sent.clear()
        self.connection.close()

    def _failure(self, error: QueuectlError) -> QueuectlError:
        self.close()
        return error
