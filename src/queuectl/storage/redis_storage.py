"""`RedisStorage`: one namespace of one server, and how a call is run there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from queuectl import settings as local_settings
from queuectl.errors import QueuectlError
from queuectl.storage.connect import open_connection, server_url, why_lost
from queuectl.storage.keys import Keys
from queuectl.storage.parser import MOST_BYTES
from queuectl.storage.scripts import Argument, Call, Command, command
from queuectl.storage.shapes import Shape, word

if TYPE_CHECKING:
    import redis

    from queuectl.settings import Settings

T = TypeVar("T")


class Client(Protocol):
    """A connection: it sends commands and gives the replies; error replies are values, not raised."""

    most_bytes: int
    """The most bytes of a reply."""

    def exchange(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Send all, then read one reply for each."""

    def close(self) -> None:
        """Close the connection."""


class RedisStorage:
    """The queue's state in one namespace of one server. What can be asked of it is in ``calls`` and ``reads``.

    With no arguments it uses the server of the settings (`QUEUECTL_REDIS_URL`, the configuration file, else
    the embedded one, which it starts if it is down). The first call connects, and so does the first call after a
    connection was lost. Methods raise `ServerUnreachable`, `NotAServer`, `ServerRefused` or
    `BadConfiguration`.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        namespace: str | None = None,
        *,
        settings: Settings | None = None,
        client: Client | None = None,
    ) -> None:
        self.settings = settings or local_settings.load(redis_url=redis_url, namespace=namespace)
        self.keys = Keys(self.settings.namespace)
        self._client = client
        self._given = client is not None
        self._known: set[str] = set()
        self._redis: redis.Redis | None = None

    @property
    def r(self) -> redis.Redis:
        """A redis-py client of the same server, with decoded responses; made on first use."""
        if self._redis is None:
            from queuectl.storage.redis_py import connect

            self.ask(word(b"PONG"), "PING")  # starts the embedded server
            self._redis = connect(server_url(self.settings), decode_responses=True)
        return self._redis

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._client is not None and not self._given:
            self._client.close()
            self._client = None
        if self._redis is not None:
            self._redis.close()
            self._redis = None

    def run(self, call: Call[T]) -> T:
        """Run one script and wait for its reply."""
        cached = call.script in self._known
        reply = self._run(call, cached=cached)
        if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):
            reply = self._run(call, cached=False)
        self._check(reply, call.shape, call.script)
        self._known.add(call.script)
        return call.parse(reply)

    def _run(self, call: Call[Any], *, cached: bool) -> Any:
        order = command(call, self.keys.namespace, cached=cached)
        return self.exchange([order], raise_errors=False, most_bytes=call.most_bytes)[0]

    def exchange(
        self, commands: Sequence[Command], *, raise_errors: bool = True, most_bytes: int = MOST_BYTES
    ) -> list[Any]:
        """Send plain commands as one pipeline; gives their raw replies, each of ``most_bytes`` at most."""
        if self._client is None:
            self._client = open_connection(self.settings)
        self._client.most_bytes = most_bytes
        try:
            replies = self._client.exchange(commands)
        except QueuectlError as error:
            self.close()
            raise why_lost(self.settings, error) from None
        except KeyboardInterrupt:
            self.close()
            raise
        if raise_errors:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise _refused(reply)
        return replies

    def ask(self, shape: Shape, *parts: Argument) -> Any:
        """Send one plain command; gives its reply, which must have this shape."""
        return self.ask_all([(shape, parts)])[0]

    def ask_all(self, questions: Sequence[tuple[Shape, Command]], *, raise_errors: bool = True) -> list[Any]:
        """Send plain commands as one pipeline; gives their replies, each of the shape beside its command.

        Without ``raise_errors``, a reply may also be the server's error.
        """
        replies = self.exchange([parts for _, parts in questions], raise_errors=raise_errors)
        for (shape, parts), reply in zip(questions, replies, strict=True):
            if not isinstance(reply, Exception):
                self._check(reply, shape, str(parts[0]))
        return replies

    def _check(self, reply: Any, shape: Shape, asked: str) -> None:
        if isinstance(reply, Exception):
            raise _refused(reply)
        if not shape(reply):
            from queuectl.storage.replies import unknown_reply

            self.close()  # whatever else it sends would be taken for the next answer
            raise unknown_reply(server_url(self.settings).redacted(), asked, reply)


def _refused(reply: Exception) -> QueuectlError:
    from queuectl.storage.replies import error_from  # not needed while all goes well

    return error_from(reply)
