"""The messages between a pool and its runners, over a socket: one byte each, so that none can be split."""

from __future__ import annotations

# From the pool.
DRAIN = b"d"
"""Finish the running jobs, take no new ones, and exit."""
QUIT = b"q"
"""Stop the running jobs, put them back, and exit."""
CLAIM = b"c"
"""There may be something to claim, or a burst may be over."""
PING = b"p"
"""Answer, if you can."""

# From a runner.
READY = b"r"
"""The server knows its workers."""
ALIVE = b"a"
"""The answer to a ping. Any other message is an answer as well."""
EMPTY = b"e"
"""The queue has nothing left to do; a burst is over."""
STOPPING = b"s"
"""The stop signal is set: it finishes its jobs, and exits unless `worker resume` comes first."""
RESUMED = b"o"
"""`worker resume` came while it finished its jobs: it continues."""

# Exit codes of a runner.
DRAINED = 0
"""Told to by the pool, or a burst has nothing left to do."""
STOPPED = 3
"""The stop signal."""
REFUSED = 4
"""In a burst, and the server's records are of a later version."""
