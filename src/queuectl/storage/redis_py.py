"""redis-py behind the storage's `Client` interface, and the client that `RedisStorage().r` gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import redis

from queuectl.errors import ServerUnreachable
from queuectl.storage.scripts import Argument

if TYPE_CHECKING:
    from queuectl.storage.url import RedisURL


class ServerError(Exception):
    """An error reply as the server wrote it, its code first."""


_CODES: dict[type[Exception], str] = {
    redis.exceptions.NoScriptError: "NOSCRIPT",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.AuthenticationError: "WRONGPASS",
}
_NAMED = tuple(_CODES)


class RedisPyClient:
    """A `Client` over one connection of a redis-py pool, for servers that only redis-py can find."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def exchange(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Send all, then read one reply for each; an error reply is a value."""
        pool = self._redis.connection_pool
        try:
            connection: Any = pool.get_connection()
            try:
                connection.send_packed_command(connection.pack_commands(commands))
                return [_reply(connection) for _ in commands]
            except BaseException:
                connection.disconnect()
                raise
            finally:
                pool.release(connection)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ServerUnreachable(f"The server went away: {error}.", "Is it up? Try: queuectl status") from None

    def close(self) -> None:
        """Close all connections."""
        self._redis.close()


def connect(url: RedisURL, *, decode_responses: bool) -> redis.Redis:
    """A redis-py client of the server at ``url``."""
    options: dict[str, Any] = {
        "db": url.db,
        "username": url.username or None,
        "password": url.password or None,
        "decode_responses": decode_responses,
        "protocol": 2,
    }
    if url.path:
        return redis.Redis(unix_socket_path=url.path, **options)
    if url.tls:
        options |= {
            "ssl": True,
            "ssl_cert_reqs": "required" if url.verify else "none",
            "ssl_check_hostname": url.check_hostname,
            "ssl_ca_certs": url.ca_certs,
            "ssl_certfile": url.certfile,
            "ssl_keyfile": url.keyfile,
        }
    return redis.Redis(host=url.host, port=url.port, **options)


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except redis.RedisError as error:
        if isinstance(error, (redis.ConnectionError, redis.TimeoutError)) and not isinstance(error, _NAMED):
            raise
        return ServerError(_code(error) + str(error))


def _code(error: redis.RedisError) -> str:
    # redis-py turns some codes into classes, and takes them out of the text.
    return next((code + " " for kind, code in _CODES.items() if isinstance(error, kind)), "")
