"""The embedded server: each state folder's private Valkey or Redis, started on first use.

``paths`` locates it; a command needs nothing else while the server runs. ``embedded`` starts, stops and
describes it, and is imported only when no server answers.
"""

OLDEST = (7, 0)
"""The oldest Redis that will do; every Valkey is newer. It introduced script flags and sharded channels."""

OLDEST_TEXT = ".".join(map(str, OLDEST))
