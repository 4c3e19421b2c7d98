"""Sends one command to a server over its Unix socket, without the storage layer."""

from __future__ import annotations

import enum
import socket


class Answer(enum.Enum):
    """What we found behind a socket's path."""

    ABSENT = "nobody listens"
    SILENT = "somebody listens and does not answer"
    LOADING = "a server reads its data"
    READY = "a server takes commands"


def ask(path: str, command: bytes, timeout_seconds: float) -> bytes:
    """Return the server's reply as text, an error with its ``-``; empty if the server hung up.

    Raises `OSError`: `TimeoutError` if no answer comes, others if nobody listens.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_seconds)
        connection.connect(path)
        connection.sendall(command + b"\r\n")
        with connection.makefile("rb") as replies:
            line = replies.readline().rstrip()
            return replies.read(int(line[1:])) if line.startswith(b"$") else line


def probe(path: str, timeout_seconds: float = 5.0) -> Answer:
    """Check whether a server takes commands here. Raises `OSError` if we may not connect."""
    try:
        reply = ask(path, b"PING", timeout_seconds)
    except (FileNotFoundError, ConnectionError):
        return Answer.ABSENT
    except (TimeoutError, BlockingIOError):  # the latter: its backlog of new connections is full
        return Answer.SILENT
    if not reply:
        return Answer.ABSENT
    # Any other error comes from a running server: PING itself fails while the disk is full.
    return Answer.LOADING if reply.startswith(b"-LOADING") else Answer.READY


def facts(path: str, section: str = "") -> dict[str, str]:
    """Return what a server says about itself (INFO); empty if it does not answer."""
    try:
        text = ask(path, f"INFO {section}".rstrip().encode(), timeout_seconds=5.0).decode(errors="replace")
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
