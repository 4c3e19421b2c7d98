"""A runner's three connections to the server: opened, checked, and reopened after a loss.

Calls go over `work`. The other two wait: `control` for messages to this runner, `wake_line` for the token that says
work has come. They are separate because a busy runner must not take the token from a free one.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol

from queuectl.errors import QueuectlError, ServerUnreachable
from queuectl.settings import Settings
from queuectl.storage.client import Connection
from queuectl.storage.connect import open_connection, server_url, why_lost
from queuectl.storage.link import Link
from queuectl.storage.shapes import text
from queuectl.worker.loop import Loop
from queuectl.worker.report import Reporter
from queuectl.worker.timers import Timer

CHECK_SECONDS = 5.0
"""Pause between two checks whether an embedded server is still the one that others find."""

TRUST_SECONDS = 5.0
"""How long a server must answer properly after it did not, until we connect again at once."""

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5


class Connections:
    """Three open links."""

    def __init__(self, settings: Settings) -> None:
        connection = open_connection(settings)
        self.idle_seconds = _idle_seconds(connection)
        """After how long the server closes a connection that is silent; infinite for never."""
        self.work = Link(connection, settings.namespace)
        self._socket = None if settings.redis_url else server_url(settings).path
        self._socket_then = self._socket_now()
        self.control = Link(open_connection(settings), settings.namespace)
        self.wake_line = Link(open_connection(settings), settings.namespace)
        self.descriptors = {link: link.fileno() for link in (self.work, self.control, self.wake_line)}

    def is_wrong_server(self) -> bool:
        """Whether the embedded server's socket was removed or replaced: then nobody else can find this server."""
        return self._socket_now() != self._socket_then

    def _socket_now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._socket) if self._socket else None
        except FileNotFoundError:
            return None
        except OSError:
            return self._socket_then  # we can't check now
        return found and (found.st_dev, found.st_ino)

    def server_is_lost(self) -> bool:
        """Whether the embedded server's folder was deleted. If it was only moved, others may still use it there."""
        if not hasattr(socket, "SO_PEERCRED"):
            return False  # only Linux can tell
        line = socket.socket(fileno=self.work.fileno())  # not a copy: there may be no free descriptor
        try:
            pid, _, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        finally:
            line.detach()
        try:
            return os.stat(f"/proc/{pid}/cwd").st_nlink == 0
        except OSError:
            return False

    def close(self) -> None:
        """Close all three."""
        for link in self.descriptors:
            link.close()


def _idle_seconds(connection: Connection) -> float:
    """Return after how long the server closes a silent connection; infinite for never, and if we may not ask."""
    (reply,) = connection.exchange([("CONFIG", "GET", "timeout")])
    if isinstance(reply, list) and len(reply) == 2 and isinstance(reply[1], bytes) and reply[1].isdigit():
        return float(reply[1]) or math.inf
    return math.inf


class Listener(Protocol):
    """A part that uses the connections to talk to the server."""

    def gained(self, connections: Connections) -> None:
        """Called when the connections are up."""

    def lost(self, *, wrong_server: bool) -> None:
        """Called when they are lost; no pending answer will come. ``wrong_server``: the next one has other jobs."""


class Connector:
    """Keeps three links connected, and tells its listeners in the order of their registration.

    It connects in a thread: finding a host or starting the embedded server may take long, and jobs must not wait.
    """

    def __init__(self, settings: Settings, loop: Loop) -> None:
        self.connections: Connections | None = None
        self.connecting = False
        self._settings = settings
        self._loop = loop
        self._listeners: list[Listener] = []
        self._result: Connections | Exception | None = None
        self._writing: set[Link] = set()
        self._pause = 0.0
        self._complaint = ""
        self._next_check: Timer | None = None
        self._distrusted_until = 0.0
        self._answer_due = float("inf")

    def tell(self, listener: Listener) -> None:
        """Register a listener for gains and losses. Call before `start`."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Start connecting."""
        self._connect()
        self._next_check = self._loop.after(CHECK_SECONDS, self._check_server)

    def stop(self) -> None:
        """Disconnect for good."""
        if self._next_check is not None:
            self._next_check.cancel()
        if self.connections is not None:
            self.connections.close()

    def turn(self) -> None:
        """Send pending calls, or take over the new connection."""
        if self.connections is None:
            self._take_result()
        if (connections := self.connections) is None:
            return
        for link in connections.descriptors:
            if link.has_unsent or link in self._writing:
                self._guarded(connections, link.flush)
                if self.connections is connections:
                    self._watch_writing(connections, link)
        self._guarded(connections, partial(self._check_answers, connections))

    def proven(self) -> None:
        """Note that the server has answered properly, so that the next loss counts as a new one.

        If it has answered some other call with nonsense or an error, it must do without for a while.
        """
        if self._loop.now < self._distrusted_until:
            return
        self._pause = 0.0
        if self._complaint:
            self._complaint = ""
            Reporter.say("connected to the server again")

    def drop(self, why: str, *, wrong_server: bool = False) -> None:
        """Drop these connections and open new ones."""
        if self.connections is None:
            return
        for descriptor in self.connections.descriptors.values():
            self._loop.forget(descriptor)
        self._writing.clear()
        self.connections.close()
        self.connections = None
        for listener in self._listeners:
            listener.lost(wrong_server=wrong_server)
        self._try_again(why)

    def _check_server(self) -> None:
        connections = self.connections
        if connections is not None and connections.is_wrong_server():
            if connections.server_is_lost():
                connections.work.command(("SHUTDOWN",), text, lambda _: None)  # else two servers would run
                self._guarded(connections, connections.work.flush)
            self.drop("The state folder was removed or replaced under its server.", wrong_server=True)
        self._next_check = self._loop.after(CHECK_SECONDS, self._check_server)

    def _guarded(self, connections: Connections, act: Callable[[], None]) -> None:
        if self.connections is not connections:
            return  # lost in this very turn of the loop
        try:
            act()
        except QueuectlError as error:
            if not isinstance(error, ServerUnreachable):
                self._distrusted_until = self._loop.now + TRUST_SECONDS
            self.drop(why_lost(self._settings, error).message)

    def _check_answers(self, connections: Connections) -> None:
        """Raise if an answer is overdue; wake the loop when the next one will be."""
        for link in connections.descriptors:
            due = link.check(self._loop.now)
            if due is not None and due < self._answer_due:
                self._answer_due = due
                self._loop.timers.at(due, self._forget_due)

    def _forget_due(self) -> None:
        self._answer_due = float("inf")  # `turn` checks after each event, this one too

    def _watch_writing(self, connections: Connections, link: Link) -> None:
        if link.wants_write != (link in self._writing):
            self._writing ^= {link}
            self._loop.watch_writing(
                link.fileno(), partial(self._guarded, connections, link.receive), writing=link in self._writing
            )

    def _connect(self) -> None:
        self.connecting = True
        self._result = None
        try:
            threading.Thread(target=self._connect_in_thread, name="connect", daemon=True).start()
        except RuntimeError as error:  # the system has no room for a thread
            self.connecting = False
            self._try_again(f"The server can't be reached: {error}.")

    def _connect_in_thread(self) -> None:
        try:
            self._result = Connections(self._settings)
        except OSError as error:  # no free descriptor to import one of our modules
            self._result = QueuectlError(f"The server can't be reached: {error.strerror or error}.")
        except Exception as error:  # whatever it is, the runner must keep trying
            self._result = error
        self._loop.wake_up()

    def _take_result(self) -> None:
        result, self._result = self._result, None
        if result is None:
            return
        self.connecting = False
        if isinstance(result, Exception):
            self._try_again(result.message if isinstance(result, QueuectlError) else repr(result))
            return
        self.connections = result
        for link, descriptor in result.descriptors.items():
            self._loop.watch(descriptor, partial(self._guarded, result, link.receive))
        for listener in self._listeners:
            listener.gained(result)

    def _try_again(self, why: str) -> None:
        """Retry after a pause that grows until the server is `proven`: error replies must cause no retry storm."""
        if why != self._complaint:
            self._complaint = why
            Reporter.say(why)
        self._loop.after(self._pause, self._connect)
        self._pause = min(max(self._pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
