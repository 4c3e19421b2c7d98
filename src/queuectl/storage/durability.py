"""Whether what was written is on the server's disk, and on its replicas."""

from __future__ import annotations

from queuectl.errors import BadConfiguration
from queuectl.storage.redis_storage import RedisStorage
from queuectl.storage.shapes import count, digits, row, text

APPEND_ONLY_HINT = "on it: CONFIG SET appendonly yes, then CONFIG REWRITE; or start it with --appendonly yes"
"""For a running server: a restart would begin with an empty file. Then for its next start."""

DURABLE_SECONDS = 3.0
"""How long a disk or a replica is waited for; less than a connection waits for any answer."""


_ON_DISK = row(count, count)
"""How many servers and how many replicas have it on disk."""


def check_durable(storage: RedisStorage) -> None:
    """Make sure that the server can tell what is on its disk; BadConfiguration if it can't."""
    (reply,) = storage.ask_all([(_ON_DISK, ("WAITAOF", 1, 0, 1))], raise_errors=False)
    if not isinstance(reply, Exception):
        return
    if "unknown command" in str(reply):
        raise BadConfiguration(
            "The server can't tell what is on its disk: that takes Redis 7.2 or Valkey. Nothing was added.",
            "Update the server, or add the job without waiting for its disk.",
        )
    if "appendonly is disabled" in str(reply):
        raise BadConfiguration(
            "The server keeps no append-only file, so nothing is durable there. Nothing was added.",
            f"Turn it {APPEND_ONLY_HINT}",
        )
    from queuectl.storage.replies import error_from

    raise error_from(reply)


def make_durable(storage: RedisStorage, replicas: int = 0) -> str:
    """Wait until what this connection wrote is on the server's disk, and on the disks of this many replicas.

    0 ``replicas``: until every replica that is connected has it. Returns "" then, or why that is not certain after
    DURABLE_SECONDS.
    """
    milliseconds = int(DURABLE_SECONDS * 1000)
    (reached,) = storage.ask_all([(_ON_DISK, ("WAITAOF", 1, replicas, milliseconds))], raise_errors=False)
    if isinstance(reached, Exception):
        return f"the server can't tell whether it is on its disk ({reached})"
    local, on_disks = reached
    if local < 1:
        return "the server has not written it to its disk yet"
    if on_disks < replicas:
        return f"{on_disks} of the {replicas} replicas that must have it on their disk have told so"
    return "" if replicas else _reach_connected(storage, milliseconds)


def _reach_connected(storage: RedisStorage, milliseconds: int) -> str:
    (info,) = storage.ask_all([(text, ("INFO", "replication"))], raise_errors=False)
    if isinstance(info, Exception):
        return "the server doesn't tell of its replicas"
    number = info.partition(b"connected_slaves:")[2].split(b"\r", 1)[0]
    connected = int(number) if digits(number) else 0
    if connected:
        reached = storage.ask(count, "WAIT", connected, milliseconds)
        if reached < connected:
            return f"{reached} of the server's {connected} replicas have it"
    return ""


def lacks_append_only_file(storage: RedisStorage) -> bool:
    """Whether the server says that it writes none; False where it refuses to answer."""
    (info,) = storage.ask_all([(text, ("INFO", "persistence"))], raise_errors=False)
    return isinstance(info, bytes) and b"aof_enabled:0\r\n" in info
