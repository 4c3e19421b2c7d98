"""The embedded server's configuration: the text of its ``valkey.conf``.

It uses only directives that Valkey 8+ and Redis 7.0+ both know.
"""

from __future__ import annotations

import os

from queuectl.errors import BadConfiguration
from queuectl.settings import APPENDFSYNC

_TEMPLATE = """\
# Written by queuectl at every start of its embedded server; edits are lost.

# Only the owner can connect, and only through the Unix socket.
port 0
protected-mode yes
unixsocket {socket}
unixsocketperm 600

dir {directory}
logfile {log}
loglevel notice
daemonize no
databases 1

# The append-only file holds every acknowledged write; snapshots would only cost time.
save ""
appendonly yes
appendfsync {appendfsync}
no-appendfsync-on-rewrite no
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
# A crash can truncate the last command, which was then never acknowledged: drop it and start.
aof-load-truncated yes
# Without snapshots, a failed save can only be a rewrite of the file; the current file is still good.
stop-writes-on-bgsave-error no

# A full server must refuse jobs, not forget some.
maxmemory-policy noeviction

# A typical job, with a command of up to 1 KiB, stays in the compact encoding.
hash-max-listpack-entries 64
hash-max-listpack-value 1024

# Workers block on their connection while they have nothing to do.
timeout 0
# Slows every command a little, for statistics that nobody reads.
latency-tracking no
"""


def check_appendfsync(value: str) -> str:
    """Return the value; raise `BadConfiguration` if no server knows it."""
    if value not in APPENDFSYNC:
        raise BadConfiguration(f"appendfsync can't be {value!r}.", f"Use one of: {', '.join(APPENDFSYNC)}.")
    return value


def render(*, directory: str, socket: str, log: str, appendfsync: str) -> bytes:
    """Return the contents of the configuration file. The paths are absolute and may hold any byte but NUL."""
    text = _TEMPLATE.format(
        directory=_quoted(directory),
        socket=_quoted(socket),
        log=_quoted(log),
        appendfsync=check_appendfsync(appendfsync),
    )
    return text.encode()


def _quoted(path: str) -> str:
    """Quote a path for the server's configuration parser, on one line and in plain ASCII."""
    plain = {byte for byte in range(0x20, 0x7F) if chr(byte) not in '"\\'}
    return '"' + "".join(chr(b) if b in plain else f"\\x{b:02x}" for b in os.fsencode(path)) + '"'
