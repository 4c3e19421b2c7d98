"""Waits for the end of one job, without polling."""

from __future__ import annotations

import select
import time
from typing import Any

from queuectl.errors import JobNotFound, ServerUnreachable
from queuectl.model.lifecycle import FINAL, JobState
from queuectl.settings import Settings
from queuectl.storage.calls import jobs
from queuectl.storage.client import Connection
from queuectl.storage.connect import open_connection
from queuectl.storage.keys import Keys
from queuectl.storage.replies import error_from, unknown_reply
from queuectl.storage.scripts import Command, command
from queuectl.storage.shapes import Shape, count, either, row, text, word

PATIENCE_SECONDS = 60.0
"""How long we wait for a server that went away."""

MESSAGES = 1_000
"""The most messages at once: a job has few, one for each attempt."""

_MESSAGE = row(text, text, either(text, count))

LOOK_SECONDS = 5.0
"""How often we still check the job: a removed job never ends."""


class Watcher:
    """Listens on a job's channel, on its own connection.

    It subscribes first and then checks the job, so that it sees an end in between twice rather than never. If the
    server goes away, it repeats this once the server is back. Raises ServerUnreachable if that takes longer than
    PATIENCE_SECONDS, JobNotFound if the job doesn't exist or was removed.
    """

    failures = 0
    """Rises when an attempt failed and will be retried; one failure may count more than once."""

    def __init__(self, settings: Settings, job_id: str) -> None:
        self._settings = settings
        self._job_id = job_id
        self._lost_at: float | None = None
        self._connection: Connection | None = None
        self._state = ""
        self._listen()

    def wait(self, seconds: float) -> JobState | None:
        """Return the job's final state; None if it is not over after ``seconds``."""
        deadline = time.monotonic() + seconds
        while self._state not in FINAL:
            left = max(0.0, deadline - time.monotonic())
            try:
                if self._connection is None:
                    time.sleep(left)
                    self._listen()
                elif select.select([self._connection], [], [], left)[0]:
                    self._hear(self._connection)
                elif time.monotonic() > self._look_at:
                    self.close()
                    self._listen()
            except ServerUnreachable:
                self.close()
                self._lost_at = self._lost_at or time.monotonic()
                if time.monotonic() - self._lost_at > PATIENCE_SECONDS:
                    raise
            if time.monotonic() >= deadline:
                break
        return JobState(self._state) if self._state in FINAL else None

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listen(self) -> None:
        keys = Keys(self._settings.namespace)
        connection, other = open_connection(self._settings), open_connection(self._settings)
        channel = keys.done(self._job_id)
        _ask(connection, ("SSUBSCRIBE", channel), row(word(b"ssubscribe"), word(channel.encode()), count))
        watch = jobs.watch(self._job_id)
        order = command(watch, self._settings.namespace, cached=False)
        self._learn(watch.parse(_ask(other, order, watch.shape)))
        other.close()
        self._connection, self._lost_at = connection, None
        self._look_at = time.monotonic() + LOOK_SECONDS
        if not self._state:
            self.close()
            raise JobNotFound(
                f"Job {self._job_id} is not in the queue any more.",
                "It was removed, or the server was emptied. See: queuectl list",
            )

    def _learn(self, state: str) -> None:
        self._state = state
        self.failures += state == JobState.FAILED.value

    def _hear(self, connection: Connection) -> None:
        for message in connection.receive(MESSAGES):
            if not _MESSAGE(message):
                raise unknown_reply(str(connection.url), "SSUBSCRIBE", message)
            kind, _, state = message
            if kind == b"smessage":
                self._learn(state.decode("utf-8", "replace"))


def _ask(connection: Connection, order: Command, shape: Shape) -> Any:
    (reply,) = connection.exchange([order])
    if isinstance(reply, Exception):
        raise error_from(reply)
    if not shape(reply):
        raise unknown_reply(str(connection.url), str(order[0]), reply)
    return reply
