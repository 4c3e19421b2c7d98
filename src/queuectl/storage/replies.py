"""Translates error replies of the server into errors for the user."""

from __future__ import annotations

from typing import Any

from queuectl.errors import BadConfiguration, NotAServer, QueuectlError, ServerRefused, ServerUnreachable

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
    if code == "NOPERM" or "ACL failure in script" in text or "The user executing the script can't" in text:
        return _no_right(text)
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


def _no_right(text: str) -> BadConfiguration:
    """Return the error for a right that the user lacks: to a command, a key or a channel."""
    command = text.partition("to run the '")[2].partition("'")[0]
    if command:
        what, right = f"run the command {command.upper()}", f"+{command}"
    elif "channel" in text:
        what, right = "use one of the queue's channels", "'&NAMESPACE:*'"
    elif "key" in text:
        what, right = "use one of the queue's keys, or not in this way", "'~NAMESPACE:*'"
    else:
        what, right = "run a command that this needs, and the server does not say which", "+COMMAND"
    return BadConfiguration(
        f"The server's user may not {what}.",
        f"Its administrator can allow it: ACL SETUSER NAME {right}"
        " (docs/reference/access-rights.md has what each role needs).",
    )


def not_a_server(address: str, why: str) -> NotAServer:
    """Return the error for a server at ``address`` that is none, or one that can't serve."""
    return NotAServer(
        f"What answers at {address} is not a Redis or Valkey that can serve: {why}.",
        "Check the address; a server with TLS needs rediss://, and a proxy must pass on EVAL."
        " Where the address comes from: queuectl config show --origin",
    )


def unknown_reply(address: str, asked: str, reply: Any) -> NotAServer:
    """Return the error for a reply that ``asked``, a command or a script, never gives."""
    return not_a_server(address, f"it answered {asked} with {_described(reply)}")


def _described(reply: Any) -> str:
    if isinstance(reply, bytes):
        return f"the text {reply[:40].decode('utf-8', 'replace')!r}"
    if isinstance(reply, list):
        return f"a list of {len(reply)}"
    return "nothing" if reply is None else f"{str(reply)[:40]} ({type(reply).__name__})"


def newer_schema(version: str) -> BadConfiguration:
    """Return the error for records that a later queuectl wrote."""
    return BadConfiguration(f"The server's records have version {version}, newer than this queuectl.", _SCHEMA_HINT)
