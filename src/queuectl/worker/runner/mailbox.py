"""Receives what a runner is sent without asking: its own messages, and the token that says work has come."""

from __future__ import annotations

from functools import partial
from typing import Any

from queuectl.storage.keys import Keys
from queuectl.storage.shapes import either, nothing, row, text
from queuectl.worker.runner.connections import Connections, Connector
from queuectl.worker.runner.events import Events
from queuectl.worker.runner.exchange import Exchange
from queuectl.worker.runner.jobs import Jobs

_MESSAGE = either(nothing, row(text, text))

LISTEN_SECONDS = 30
"""How long a connection waits for a message before it asks again."""


class Mailbox:
    """Waits for messages always, and for the wake token while a worker is free."""

    def __init__(
        self, runner: str, keys: Keys, connector: Connector, jobs: Jobs, exchange: Exchange, events: Events
    ) -> None:
        self._control = keys.control(runner)
        self._wake = keys.wake
        self._connector = connector
        self._jobs = jobs
        self._exchange = exchange
        self._events = events
        self._awaits_work = False
        connector.tell(self)

    def gained(self, connections: Connections) -> None:
        """Wait for messages."""
        self._listen(connections)

    def lost(self, *, wrong_server: bool) -> None:
        """Stop waiting: nothing will come."""
        self._awaits_work = False

    def await_work(self) -> None:
        """Wait for the token, unless we already do: a worker is free and there is nothing to claim."""
        connections = self._connector.connections
        if not self._awaits_work and connections is not None:
            self._awaits_work = True
            connections.wake_line.command(
                ("BLPOP", self._wake, LISTEN_SECONDS), _MESSAGE, self._woken, blocks_seconds=LISTEN_SECONDS
            )

    def _woken(self, token: Any) -> None:
        self._awaits_work = False
        if token is not None:
            self._exchange.prompt_claim()  # if our workers are busy by now, this passes the token on

    def _listen(self, connections: Connections) -> None:
        connections.control.command(
            ("BLPOP", self._control, LISTEN_SECONDS),
            _MESSAGE,
            partial(self._told, connections),
            blocks_seconds=LISTEN_SECONDS,
        )

    def _told(self, connections: Connections, message: Any) -> None:
        self._listen(connections)
        if message is None:
            return
        match message[1].split():  # ignore anything that is not our message
            case [b"stop"]:
                self._events.stop_signal(is_set=True)
            case [b"resume"]:
                self._events.stop_signal(is_set=False)
            case [b"cancel", job_id, fence] if fence.isdigit() and len(fence) < 20:
                self._jobs.cancel(job_id.decode("utf-8", "replace"), int(fence))
