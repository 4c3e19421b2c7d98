"""Connects to the configured server, and starts the embedded one if it isn't running."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from queuectl.errors import BadConfiguration, QueuectlError, ServerUnreachable
from queuectl.notices import tell
from queuectl.server import OLDEST, OLDEST_TEXT
from queuectl.server.paths import socket_path
from queuectl.settings import LOADING_SECONDS
from queuectl.storage.client import Connection
from queuectl.storage.url import RedisURL, parse

if TYPE_CHECKING:
    from queuectl.settings import Settings


def server_url(settings: Settings) -> RedisURL:
    """Return the address of the configured server; the embedded one's socket if none is configured."""
    if settings.redis_url:
        return parse(settings.redis_url)
    return RedisURL(path=socket_path(settings.home))


def open_connection(settings: Settings, *, timeout_seconds: float = 5.0) -> Connection:
    """Connect to the configured server; raises the errors of `Connection.open`."""
    url = server_url(settings)
    if settings.redis_url:
        if not settings.insecure_redis:
            _refuse_open_door(url)
        connection = Connection.open(url, timeout_seconds=timeout_seconds)
        try:
            _check(connection, url)
        except BaseException:
            connection.close()
            raise
        return connection
    try:
        connection = Connection.open(url, timeout_seconds=timeout_seconds)
        if not _is_loading(connection):
            return connection
        connection.close()
    except ServerUnreachable:
        pass
    from queuectl.server.embedded import EmbeddedServer  # not needed while it runs

    EmbeddedServer(settings.home, settings.appendfsync).ensure_running()
    return Connection.open(url, timeout_seconds=timeout_seconds)


def why_lost(settings: Settings, error: QueuectlError) -> QueuectlError:
    """Return the reason why the connection broke, if the embedded server's log tells it; else the error itself."""
    if settings.redis_url or not isinstance(error, ServerUnreachable):
        return error
    from queuectl.server import failures
    from queuectl.server.paths import server_directory

    return failures.explain_loss(server_directory(settings.home)) or error


def _is_loading(connection: Connection) -> bool:
    """Whether the server still reads its data, and answers no other command until it has done so."""
    (reply,) = connection.exchange([("PING",)])
    return isinstance(reply, Exception) and str(reply).startswith("LOADING")


def _refuse_open_door(url: RedisURL) -> None:
    """Anybody who can write to the server can run commands on every machine with a worker."""
    if url.path is not None:
        _refuse_foreign_socket(url, url.path)
    if url.path or url.password or url.certfile or url.host == "localhost" or _is_loopback(url.host):
        return
    raise BadConfiguration(
        f"The server {url.redacted()} has no password: anybody who reaches it could run commands here.",
        "Give it one, as in redis://:PASSWORD@HOST:PORT/0. If only you can reach it: --insecure-redis",
    )


def _refuse_foreign_socket(url: RedisURL, path: str) -> None:
    """The owner of a socket is the server, whose jobs run as this user."""
    try:
        owner = os.stat(path).st_uid
    except OSError:
        return  # connecting tells why
    if owner not in (0, os.geteuid()):
        raise BadConfiguration(
            f"The socket {url.redacted()} belongs to another user (uid {owner}), who could run commands here.",
            "If you trust that user: --insecure-redis",
        )


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name, which may resolve elsewhere later


def _loaded(connection: Connection, url: RedisURL) -> object:
    """Wait until the server has read its data; return its reply to INFO."""
    import time

    began = time.monotonic()
    told = False
    while True:
        (info,) = connection.exchange([("INFO",)])
        waited = time.monotonic() - began
        if not isinstance(info, bytes) or b"\nloading:1\r" not in info or waited > LOADING_SECONDS:
            return info
        if waited > 1 and not told:
            told = True
            minutes = round(LOADING_SECONDS / 60)
            tell(f"The server {url.redacted()} is reading its data. Waiting up to {minutes} minutes.")
        time.sleep(0.05)


def _check(connection: Connection, url: RedisURL) -> None:
    """Refuse a server that would lose or refuse jobs: too old, a replica, or one that evicts keys."""
    info = _loaded(connection, url)
    if isinstance(info, Exception):
        return  # we may not ask; a problem shows at the first write
    address = url.redacted()
    facts = _facts(info)
    version = facts.get("redis_version", "")
    if not version:
        from queuectl.storage.replies import unknown_reply

        connection.close()
        raise unknown_reply(address, "INFO", info)
    if _numbers(version) < OLDEST:
        raise BadConfiguration(
            f"The server {address} is Redis {version}; queuectl needs {OLDEST_TEXT} or newer.",
            "Upgrade it, or use Valkey.",
        )
    if facts.get("role") == "slave":
        primary = f"{facts.get('master_host')}:{facts.get('master_port')}"
        raise BadConfiguration(
            f"The server {address} is a replica of {primary}.", "Point QUEUECTL_REDIS_URL at the primary."
        )
    if facts.get("maxmemory_policy", "").startswith("allkeys"):
        raise BadConfiguration(
            f"The server {address} evicts keys when it is full ({facts['maxmemory_policy']}): jobs could vanish.",
            "On the server: CONFIG SET maxmemory-policy noeviction",
        )


def _facts(info: object) -> dict[str, str]:
    if not isinstance(info, bytes):
        return {}
    return dict(line.split(":", 1) for line in info.decode("utf-8", "replace").splitlines() if ":" in line)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version; what is no number ends it."""
    numbers: list[int] = []
    for part in version.split(".")[:2]:
        if not (part.isascii() and part.isdigit() and len(part) < 10):
            break
        numbers.append(int(part))
    return tuple(numbers)
