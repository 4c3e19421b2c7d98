"""How the embedded server is set up: the text of its ``valkey.conf``.

Only directives that Valkey 8+ and Redis 7.0+ both know.
"""

from __future__ import annotations

import os

from queuectl.errors import BadConfiguration
from queuectl.settings import APPENDFSYNC

_TEMPLATE = """\
# Written by queuectl at every start of its embedded server; changes made here are lost.

# Reachable through the Unix socket alone, and by its owner alone.
port 0
protected-mode yes
unixsocket {socket}
unixsocketperm 600

dir {directory}
logfile {log}
loglevel notice
daemonize no
databases 1

# What was acknowledged is in the append-only file; snapshots beside it would only cost time.
save ""
appendonly yes
appendfsync {appendfsync}
no-appendfsync-on-rewrite no
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
# A crash may cut the last command short, which then was never acknowledged: drop it and start.
aof-load-truncated yes
# With no snapshots a failed one can only be a rewrite of the file; the file in use is still good.
stop-writes-on-bgsave-error no

# A full server must refuse jobs, not forget some.
maxmemory-policy noeviction

# A typical job, with a command of up to 1 KiB, stays in the compact encoding.
hash-max-listpack-entries 64
hash-max-listpack-value 1024

# Workers block on their connection for as long as there is nothing to do.
timeout 0
# Costs a little on every command, for statistics that nobody reads.
latency-tracking no
"""


def check_appendfsync(value: str) -> str:
    """The value itself; raises `BadConfiguration` if a server wouldn't know it."""
    if value not in APPENDFSYNC:
        raise BadConfiguration(f"appendfsync can't be {value!r}.", f"Use one of: {', '.join(APPENDFSYNC)}.")
    return value


def render(*, directory: str, socket: str, log: str, appendfsync: str) -> bytes:
    """The configuration file's contents. The paths are absolute and may hold any byte but NUL."""
    text = _TEMPLATE.format(
        directory=_quoted(directory),
        socket=_quoted(socket),
        log=_quoted(log),
        appendfsync=check_appendfsync(appendfsync),
    )
    return text.encode()


def _quoted(path: str) -> str:
    """A path as the server's configuration parser reads it back, on one line and in plain ASCII."""
    plain = {byte for byte in range(0x20, 0x7F) if chr(byte) not in '"\\'}
    return '"' + "".join(chr(b) if b in plain else f"\\x{b:02x}" for b in os.fsencode(path)) + '"'
