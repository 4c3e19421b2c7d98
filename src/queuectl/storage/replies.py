"""Translates error replies of the server into errors for the user."""

from __future__ import annotations

from queuectl.errors import BadConfiguration, QueuectlError, ServerRefused, ServerUnreachable

_SCHEMA_HINT = "Update queuectl on this machine: pip install -U queuectl"


def error_from(reply: Exception) -> QueuectlError:
    """Return our error for an error reply."""
    text = str(reply)
    code = text.partition(" ")[0]
    if code == "OOM":
        return ServerRefused(
            "The server is out of memory, nothing was stored.",
            "Raise its maxmemory, or free room: queuectl dlq clear",
        )
    if code == "READONLY" or "read only replica" in text:
        return BadConfiguration("The server is a read-only replica.", "Point QUEUECTL_REDIS_URL at its primary.")
    if code in {"NOAUTH", "WRONGPASS"}:
        return BadConfiguration(
            "The server wants a password, or another one.", "Use redis://:PASSWORD@HOST:PORT/0 as the URL."
        )
    if code == "NOPERM":
        return BadConfiguration(
            f"The server's user may not do this: {text}.",
            "Ask its administrator for rights on queuectl's keys.",
        )
    if code in {"LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "UNBLOCKED"}:
        return ServerUnreachable(f"The server can't answer now: {text}.", "Try again in a moment.")
    if code == "MISCONF":
        return ServerRefused(
            f"The server can't save to its disk: {text}.", "Free space on the server's disk, then try again."
        )
    if code == "MOVED":
        return BadConfiguration(
            "The server is part of a cluster, and these keys live on another node.",
            "Use a namespace in braces, such as {queuectl}, and the URL of the node that serves it.",
        )
    return ServerRefused(f"The server refused: {text}.")


def newer_schema(version: str) -> BadConfiguration:
    """Return the error for records that a later queuectl wrote."""
    return BadConfiguration(f"The server's records have version {version}, newer than this queuectl.", _SCHEMA_HINT)
