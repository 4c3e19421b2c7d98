"""What a pool and its runners tell each other over the socket between them: one byte each, so none can be cut."""

from __future__ import annotations

# From the pool.
DRAIN = b"d"
"""Finish the jobs that run, take no other, and exit."""
QUIT = b"q"
"""Stop the jobs that run, put them back, and exit."""
CLAIM = b"c"
"""There may be something to claim, or a burst may be over."""

# From a runner.
READY = b"r"
"""The server knows its workers."""
EMPTY = b"e"
"""The queue has nothing left to do; a burst is over."""
STOPPING = b"s"
"""The stop signal is set: it finishes its jobs, and exits unless that is taken back."""
RESUMED = b"o"
"""The stop signal was taken back while it finished its jobs: it works on."""

# Exit codes of a runner.
DRAINED = 0
"""Told by the pool, or by a burst that has nothing left to do."""
STOPPED = 3
"""The stop signal."""
REFUSED = 4
"""A burst, and the server's records are of a later version."""
