"""Which commands a server runs: what clients send, and what scripts call, apart.

The server's own count adds both up. So its MONITOR is read, which names the source of each command: a client's
address, or `lua` for a call inside of a script.
"""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.sandbox import Sandbox
from queuectl.server.paths import socket_path

_READ_BYTES = 1 << 16
_LINE = re.compile(rb'\+[0-9.]+ \[[0-9]+ (.*?)\] "')


class CommandCount(NamedTuple):
    """How many commands: sent by clients, and called inside of scripts."""

    sent: int
    in_scripts: int

    @property
    def total(self) -> int:
        """All that the server ran."""
        return self.sent + self.in_scripts


class Monitor:
    """Watches a sandbox's server; a context manager."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __enter__(self) -> Monitor:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(socket_path(self._sandbox.storage.settings.home))
        self._socket.sendall(b"MONITOR\r\n")
        self._unread = b""
        self._read_until(b"+OK")
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def take(self) -> CommandCount:
        """What came since the last call, or since the beginning; what it sends itself is left out."""
        marker = uuid.uuid4().hex
        self._sandbox.storage.exchange([("ECHO", marker)])
        return counted(self._read_until(marker.encode())[:-1])

    def _read_until(self, text: bytes) -> list[bytes]:
        """All lines up to the first that holds ``text``, that one included."""
        while True:
            *lines, rest = self._unread.split(b"\r\n")
            for number, line in enumerate(lines, 1):
                if text in line:
                    self._unread = b"\r\n".join([*lines[number:], rest])
                    return lines[:number]
            data = self._socket.recv(_READ_BYTES)
            if not data:
                raise ConnectionError("the server has ended")
            self._unread += data


def counted(lines: Iterable[bytes]) -> CommandCount:
    """Count lines of MONITOR; ValueError for a line that is none."""
    sent = in_scripts = 0
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"no line of MONITOR: {line[:80]!r}")
        if match[1] == b"lua":
            in_scripts += 1
        else:
            sent += 1
    return CommandCount(sent, in_scripts)
