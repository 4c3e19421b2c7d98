"""One connection to a Redis or Valkey server: sends commands and reads replies with ``hiredis``.

It exists because importing redis-py costs every ``queuectl`` command 125 ms. It speaks RESP2, retries nothing and
has no pool. After any failure it closes the connection, because a late reply would be taken for the answer to a
later command.
"""

from __future__ import annotations

# The C module behind socket, a private name: importing socket itself (selectors, an enum of every constant) adds
# 2.5 ms to a command's 45, measured on whole processes with click loaded.
import _socket
import select
from time import monotonic
from typing import TYPE_CHECKING

import hiredis

from queuectl.errors import BadConfiguration, QueuectlError, ServerUnreachable
from queuectl.storage.parser import CHUNK_BYTES, Parser

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from queuectl.storage.url import RedisURL

    Command: TypeAlias = tuple[bytes | str | int | float, ...]
    # bytes, int, None, hiredis.ReplyError, or a list of them; the command determines which.
    Reply: TypeAlias = Any

TIMEOUT_SECONDS = 5.0
"""How long a server may take for a reply."""

SLOWEST_BYTES_A_SECOND = 100_000
"""A line that takes less of what we send counts as broken."""

_WHERE_HINT = "Where the address comes from: queuectl config show --origin"


class Connection:
    """An open connection. One thread at a time uses it, in one of two ways.

    *Calls*: ``exchange`` sends commands and waits for their replies. *Event loops*: ``send`` and ``receive`` never
    wait; watch ``fileno()`` for reading, and for writing while ``wants_write``. Take all pending replies before you
    switch from one way to the other.

    Replies are bytes, int, None, lists of them, or ``hiredis.ReplyError`` if the server refused a command; that one
    is returned, not raised. The methods raise ServerUnreachable if the server doesn't answer in time or hangs up,
    NotAServer if its reply isn't one, and BadConfiguration if it wants another password; all close the connection.
    """

    def __init__(self, sock: _socket.socket, url: RedisURL, timeout_seconds: float) -> None:
        """Take over a connected socket; programs call ``open``."""
        sock.settimeout(0)
        self._socket = sock
        self.url = url
        self.timeout_seconds = timeout_seconds
        """How long a reply may take, to its last byte."""
        self._would_block: tuple[type[OSError], ...] = (BlockingIOError,)
        if url.tls:
            from queuectl.storage import tls

            self._would_block = tls.WOULD_BLOCK
        self._parser = Parser(url)
        self._unsent = bytearray()
        self._fresh = True  # no reply has come in yet
        self._poll = select.poll()

    @classmethod
    def open(cls, url: RedisURL, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Connection:
        """Connect, and log in with the password and database of the URL.

        ``timeout_seconds`` is how long to wait for each step of connecting, and later for each reply to its last
        byte. Raises ServerUnreachable, NotAServer and BadConfiguration.
        """
        connection = cls(_connect(url, timeout_seconds), url, timeout_seconds)
        commands: list[Command] = []
        if url.password is not None:
            user = () if url.username is None else (url.username,)
            commands.append(("AUTH", *user, url.password))
        if url.db:
            commands.append(("SELECT", url.db))
        for reply in connection.exchange(commands):
            if isinstance(reply, hiredis.ReplyError):
                connection.close()
                raise _not_let_in(url, str(reply))
            if reply != b"OK":
                connection.close()
                raise connection._parser.unfit("it did not answer AUTH or SELECT with OK")
        return connection

    def exchange(self, commands: Sequence[Command], *, timeout_seconds: float | None = None) -> list[Reply]:
        """Send the commands as one pipeline and wait for all their replies.

        ``timeout_seconds`` is how long each reply may take to the last byte, by default that of ``open``. It must
        exceed the timeout of a blocking command. A pipeline may have any size: we read replies while still sending,
        so the two sides can't deadlock; a slow line gets more time for a large one.
        """
        self._require_open()
        timeout = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        replies: list[Reply] = []
        self._unsent += _pack(commands)
        try:
            if self._parser.has_data:
                raise self._parser.unfit("it answers before it is asked")
            deadline = monotonic() + timeout + len(self._unsent) / SLOWEST_BYTES_A_SECOND
            while len(replies) < len(commands):
                self._write()
                self._wait(deadline - monotonic(), timeout)
                had = len(replies)
                ended = self._read(replies, len(commands))
                if len(replies) > had:
                    deadline = max(deadline, monotonic() + timeout)
                if ended and len(replies) < len(commands):
                    raise self._lost(ended)
        except BaseException:  # Ctrl-C too: replies are still on their way
            self.close()
            raise
        return replies

    def send(self, commands: Sequence[Command]) -> None:
        """Send what the socket accepts at once, and keep the rest for ``flush``."""
        self._require_open()
        self._unsent += _pack(commands)
        self.flush()

    def flush(self) -> None:
        """Send more of the rest; call this when the socket can be written."""
        try:
            self._write()
        except BaseException:
            self.close()
            raise

    @property
    def wants_write(self) -> bool:
        """Whether ``flush`` has something to send."""
        return bool(self._unsent)

    def receive(self, most: int = 1_000) -> list[Reply]:
        """Return all complete replies, perhaps none; more than ``most`` can't be answers to what was asked."""
        self._require_open()
        replies: list[Reply] = []
        try:
            self._take(replies, most + 1)
            ended = self._read(replies, most + 1)
            if len(replies) > most:
                raise self._parser.unfit("it answers more than it was asked")
            # Replies that came before the end are valid; the next call will reach the end again.
            if ended and not replies:
                raise self._lost(ended)
        except BaseException:
            self.close()
            raise
        return replies

    def late(self, timeout_seconds: float) -> ServerUnreachable:
        """Close the connection, since a reply has taken longer than this; return the error to raise."""
        whole = "whole " if self._parser.held else ""
        error = self._lost(f"no {whole}answer within {timeout_seconds:g} s")
        self.close()
        return error

    @property
    def most_bytes(self) -> int:
        """The most bytes of a reply."""
        return self._parser.most_bytes

    @most_bytes.setter
    def most_bytes(self, count: int) -> None:
        self._parser.most_bytes = count

    def fileno(self) -> int:
        """Return the socket's descriptor for select and poll; -1 once closed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the connection. Closing twice does no harm."""
        self._socket.close()
        self._unsent.clear()

    @property
    def closed(self) -> bool:
        """Whether ``close`` or a failure has closed this connection."""
        return self._socket.fileno() < 0

    def _write(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except self._would_block:
            pass
        except (BrokenPipeError, ConnectionResetError):
            # A server that hangs up says why first: let the caller read that, and then the end.
            self._unsent.clear()
        except OSError as error:
            raise self._lost(_reason(error)) from None

    def _read(self, replies: list[Reply], limit: int) -> str:
        """Move complete replies to ``replies`` until it holds ``limit`` of them or no more data are there.

        Returns why no more will come, or an empty text.
        """
        try:
            while len(replies) < limit:
                data = self._socket.recv(CHUNK_BYTES)
                if not data:
                    return "it closed the connection"
                self._parser.feed(data)
                self._take(replies, limit)
                # A short read emptied a plain socket. TLS may still hold a decrypted record that poll can't see, so
                # read until it would block.
                if len(data) < CHUNK_BYTES and not self.url.tls:
                    break
        except self._would_block:
            pass
        except OSError as error:
            return _reason(error)
        return ""

    def _take(self, replies: list[Reply], limit: int) -> None:
        """Move complete replies from the parser to ``replies`` until it holds ``limit`` of them."""
        self._parser.take(replies, limit)
        if self._fresh and replies:
            self._fresh = False
            if isinstance(replies[0], hiredis.ReplyError):
                self._check_welcome(str(replies[0]))

    def _check_welcome(self, refusal: str) -> None:
        """Raise if the very first reply rejects the connection rather than a command."""
        if refusal.startswith("NOAUTH"):
            raise _not_let_in(self.url, refusal)
        if refusal.startswith(("DENIED", "ERR max number of clients")):
            raise ServerUnreachable(
                f"The server at {self.url} refuses connections: {refusal}", _ping_hint(self.url)
            )

    def _wait(self, left_seconds: float, timeout_seconds: float) -> None:
        """Wait until the socket can be read, or written if data is kept."""
        self._poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        if left_seconds <= 0 or not self._poll.poll(left_seconds * 1000):
            raise self.late(timeout_seconds)

    def _lost(self, why: str) -> ServerUnreachable:
        return ServerUnreachable(f"Lost the server at {self.url}: {why}.", _ping_hint(self.url))

    def _require_open(self) -> None:
        if self.closed:
            raise ServerUnreachable(f"The connection to {self.url} is closed.", _ping_hint(self.url))


def _pack(commands: Sequence[Command]) -> bytes:
    # hiredis's type stub allows only a tuple of one.
    return b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type]


def _connect(url: RedisURL, timeout_seconds: float) -> _socket.socket:
    if url.tls:
        from queuectl.storage import tls

        context = tls.context(url)
    try:
        if url.path is not None:
            return _connect_unix(url.path, timeout_seconds)
        plain = _connect_tcp(url.host, url.port, timeout_seconds)
        if not url.tls:
            return plain
        import socket

        # Not the socket of _connect_tcp itself: ssl requires one of the public class.
        public = socket.socket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        public.settimeout(timeout_seconds)
        return context.wrap_socket(public, server_hostname=url.host)
    except (OSError, UnicodeError) as error:  # UnicodeError: an impossible host name
        if hasattr(error, "verify_message"):
            raise tls.not_trusted(url, error) from None
        raise ServerUnreachable(f"No server answers at {url}: {_reason(error)}.", _ping_hint(url)) from None


def _connect_unix(path: str, timeout_seconds: float) -> _socket.socket:
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_seconds)
        try:
            sock.connect(path)
        except BlockingIOError:
            # The server's backlog is full. Only a blocking connect waits for a place, and only this option, a C
            # struct timeval, limits that wait.
            import struct

            limit = struct.pack("ll", int(timeout_seconds), int(timeout_seconds % 1 * 1e6))
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, limit)
            sock.settimeout(None)
            sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect_tcp(host: str, port: int, timeout_seconds: float) -> _socket.socket:
    """Connect to the first address of ``host`` that answers."""
    failure = OSError("it has no address")
    for family, kind, protocol, _, address in _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM):
        sock = _socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout_seconds)
            sock.connect(address)
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            _keep_alive(sock)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _keep_alive(sock: _socket.socket) -> None:
    """Notice within a minute that a silent server's machine is gone: an event loop has no timeout."""
    sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPALIVE", 30),  # macOS's name for it
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
    ):
        if hasattr(_socket, name):
            sock.setsockopt(_socket.IPPROTO_TCP, getattr(_socket, name), value)


def _reason(error: Exception) -> str:
    """Say why a connection failed."""
    if isinstance(error, BlockingIOError):
        return "too many others wait for it"
    if isinstance(error, TimeoutError):
        return "it didn't answer in time"
    tls_reason = getattr(error, "reason", None)
    if isinstance(error, OSError) and isinstance(tls_reason, str):
        return f"TLS failed ({tls_reason.lower().replace('_', ' ')})"
    return getattr(error, "strerror", None) or str(error)


def _ping_hint(url: RedisURL) -> str:
    if url.path is not None:
        place = f"-s {url.path}"
    else:
        place = f"{'--tls ' if url.tls else ''}-h {url.host} -p {url.port}"
    return f"Check that it runs: redis-cli {place} ping. {_WHERE_HINT}"


def _not_let_in(url: RedisURL, refusal: str) -> QueuectlError:
    """Return the error for a refused AUTH or SELECT.

    It repeats little of the server's text, because some servers quote the command with its password.
    """
    code = refusal.partition(" ")[0]
    if code in ("BUSY", "LOADING"):
        return ServerUnreachable(f"The server at {url} isn't ready ({code}).", "Try again in a moment.")
    if code == "NOAUTH":
        return BadConfiguration(
            f"The server at {url} wants a password.",
            "Put it into QUEUECTL_REDIS_URL or the configuration file: redis://:PASSWORD@HOST",
        )
    if code == "WRONGPASS":
        return BadConfiguration(
            f"The server at {url} refuses the user name or the password.",
            f"Check both; special characters are written as %XX. {_WHERE_HINT}",
        )
    if "without any password" in refusal:
        return BadConfiguration(
            f"The server at {url} has no password, but one was given.", "Take it out of the URL."
        )
    if "select" in refusal.lower() or "DB index" in refusal:
        return BadConfiguration(
            f"The server at {url} refuses database {url.db}.",
            "Use another: servers have 0 to 15 unless told otherwise, and a cluster has 0 only.",
        )
    return BadConfiguration(f"The server at {url} refuses AUTH ({code}).", _WHERE_HINT)
