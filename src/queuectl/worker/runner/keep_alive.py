"""Keeps connections open that the server would close for their silence (`timeout` in its configuration)."""

from __future__ import annotations

import math

from queuectl.storage.shapes import word
from queuectl.worker.loop import Loop
from queuectl.worker.runner.connections import Connections, Connector
from queuectl.worker.timers import Timer


class KeepAlive:
    """Pings over each connection that waits for nothing, twice in the time after which the server would close it.

    The server spares a connection that waits in a BLPOP, and heartbeats come often enough for most settings.
    """

    def __init__(self, loop: Loop, connector: Connector) -> None:
        self._loop = loop
        self._connector = connector
        self._next: Timer | None = None
        connector.tell(self)

    def start(self) -> None:
        """Do nothing: there is no connection yet."""

    def stop(self) -> None:
        """Stop pinging."""
        if self._next is not None:
            self._next.cancel()

    def gained(self, connections: Connections) -> None:
        """Ping as often as this server needs it."""
        self.stop()
        self._ping()

    def lost(self, *, wrong_server: bool) -> None:
        """Stop pinging."""
        self.stop()

    def _ping(self) -> None:
        connections = self._connector.connections
        if connections is None or connections.idle_seconds == math.inf:
            return
        for link in connections.descriptors:
            if link.is_idle:
                link.command(("PING",), word(b"PONG"), lambda _: None)
        self._next = self._loop.after(connections.idle_seconds / 2, self._ping)
