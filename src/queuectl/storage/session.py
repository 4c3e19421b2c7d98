"""`Session`: a namespace of one server, its connection, and how a call is run there and waited for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from queuectl import settings as local_settings
from queuectl.errors import BadConfiguration, QueuectlError
from queuectl.storage.connect import open_connection
from queuectl.storage.keys import Keys
from queuectl.storage.scripts import Argument, Call, Command, command

if TYPE_CHECKING:
    from queuectl.settings import Settings

T = TypeVar("T")

APPEND_ONLY_HINT = "on it: CONFIG SET appendonly yes, then CONFIG REWRITE; or start it with --appendonly yes"
"""While it runs, or a restart would begin with an empty file; then for its next start."""

DURABLE_SECONDS = 3.0
"""How long a disk or a replica is waited for; less than a connection waits for any answer."""


class Client(Protocol):
    """What a session needs of a connection: commands out, replies back, errors as values."""

    def exchange(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Send all, then read one reply for each."""

    def close(self) -> None:
        """Give the connection up."""


class Session:
    """One namespace of one server, as far as adding jobs goes; `RedisStorage` has all the rest.

    With no arguments it is the server of the settings (`QUEUECTL_REDIS_URL`, the configuration file, else
    the embedded one, started if need be). The connection is made at the first call, and again after one was
    lost. Methods raise `ServerUnreachable`, `ServerRefused` or `BadConfiguration`.
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

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._client is not None and not self._given:
            self._client.close()
            self._client = None

    def check_durable(self) -> None:
        """Make sure that the server can tell what is on its disk; BadConfiguration if it can't."""
        (reply,) = self.exchange([("WAITAOF", 1, 0, 1)], raise_errors=False)
        if not isinstance(reply, Exception):
            return
        if "unknown command" in str(reply):
            raise BadConfiguration(
                "--durable needs Redis 7.2 or newer, or Valkey; nothing was added.",
                "Leave it out, or update the server.",
            )
        if "appendonly is disabled" in str(reply):
            raise BadConfiguration(
                "--durable can't be promised: the server keeps no append-only file. Nothing was added.",
                f"Leave it out, or {APPEND_ONLY_HINT}",
            )
        raise _refused(reply)

    def make_durable(self) -> str:
        """Wait until what this connection wrote is on the server's disk, and on its replicas if it has any.

        Gives "" then, or why that is not certain after DURABLE_SECONDS.
        """
        milliseconds = int(DURABLE_SECONDS * 1000)
        (local, info) = self.exchange(
            [("WAITAOF", 1, 0, milliseconds), ("INFO", "replication")], raise_errors=False
        )
        if isinstance(local, Exception):
            return f"the server can't tell whether it is on its disk ({local})"
        if local[0] < 1:
            return "the server has not written it to its disk yet"
        if isinstance(info, Exception):
            return "the server doesn't tell of its replicas"
        replicas = int(info.partition(b"connected_slaves:")[2].split(b"\r", 1)[0] or 0)
        if replicas:
            (reached,) = self.exchange([("WAIT", replicas, milliseconds)])
            if reached < replicas:
                return f"{reached} of the server's {replicas} replicas have it"
        return ""

    def run(self, call: Call[T]) -> T:
        """Run one script and wait for its reply."""
        cached = call.script in self._known
        reply = self.exchange([command(call, self.keys.namespace, cached=cached)], raise_errors=False)[0]
        if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):
            reply = self.exchange([command(call, self.keys.namespace, cached=False)], raise_errors=False)[0]
        if isinstance(reply, Exception):
            raise _refused(reply)
        self._known.add(call.script)
        return call.parse(reply)

    def exchange(self, commands: Sequence[Command], *, raise_errors: bool = True) -> list[Any]:
        """Send plain commands as one pipeline; gives their raw replies."""
        if self._client is None:
            self._client = open_connection(self.settings)
        try:
            replies = self._client.exchange(commands)
        except (QueuectlError, KeyboardInterrupt):
            self.close()
            raise
        if raise_errors:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise _refused(reply)
        return replies

    def _one(self, command: Command) -> Any:
        return self.exchange([command])[0]


def _refused(reply: Exception) -> QueuectlError:
    from queuectl.storage.replies import error_from  # not needed while all goes well

    return error_from(reply)
