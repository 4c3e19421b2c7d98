"""Whether what was written is on the server's disk, and on its replicas."""

from __future__ import annotations

from queuectl.errors import BadConfiguration
from queuectl.storage.redis_storage import RedisStorage

APPEND_ONLY_HINT = "on it: CONFIG SET appendonly yes, then CONFIG REWRITE; or start it with --appendonly yes"
"""For a running server: a restart would begin with an empty file. Then for its next start."""

DURABLE_SECONDS = 3.0
"""How long a disk or a replica is waited for; less than a connection waits for any answer."""


def check_durable(storage: RedisStorage) -> None:
    """Make sure that the server can tell what is on its disk; BadConfiguration if it can't."""
    (reply,) = storage.exchange([("WAITAOF", 1, 0, 1)], raise_errors=False)
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
    from queuectl.storage.replies import error_from

    raise error_from(reply)


def make_durable(storage: RedisStorage) -> str:
    """Wait until what this connection wrote is on the server's disk, and on its replicas if it has any.

    Gives "" then, or why that is not certain after DURABLE_SECONDS.
    """
    milliseconds = int(DURABLE_SECONDS * 1000)
    (local, info) = storage.exchange([("WAITAOF", 1, 0, milliseconds), ("INFO", "replication")], raise_errors=False)
    if isinstance(local, Exception):
        return f"the server can't tell whether it is on its disk ({local})"
    if local[0] < 1:
        return "the server has not written it to its disk yet"
    if isinstance(info, Exception):
        return "the server doesn't tell of its replicas"
    replicas = int(info.partition(b"connected_slaves:")[2].split(b"\r", 1)[0] or 0)
    if replicas:
        reached = storage.ask("WAIT", replicas, milliseconds)
        if reached < replicas:
            return f"{reached} of the server's {replicas} replicas have it"
    return ""


def lacks_append_only_file(storage: RedisStorage) -> bool:
    """Whether the server says that it writes none; False where it refuses to answer."""
    (info,) = storage.exchange([("INFO", "persistence")], raise_errors=False)
    return isinstance(info, bytes) and b"aof_enabled:0\r\n" in info
