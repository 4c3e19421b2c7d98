"""Waits for the end of one job, without asking again and again."""

from __future__ import annotations

import select
import time

from queuectl.model.lifecycle import FINAL, JobState
from queuectl.settings import Settings
from queuectl.storage import calls
from queuectl.storage.keys import Keys
from queuectl.storage.open import open_connection
from queuectl.storage.replies import error_from
from queuectl.storage.scripts import command


class Watcher:
    """Listens on a job's channel, on a connection of its own.

    First it subscribes, then it looks: an end in between is seen twice rather than missed.
    """

    def __init__(self, settings: Settings, job_id: str) -> None:
        keys = Keys(settings.namespace)
        self._connection = open_connection(settings)
        other = open_connection(settings)
        try:
            for connection, order in (
                (self._connection, ("SSUBSCRIBE", keys.done(job_id))),
                (other, command(calls.watch(job_id), settings.namespace, cached=False)),
            ):
                (reply,) = connection.exchange([order])
                if isinstance(reply, Exception):
                    raise error_from(reply)
            self._state = reply.decode()
        finally:
            other.close()

    def wait(self, seconds: float) -> JobState | None:
        """The job's final state; None if it is not over after ``seconds``, or not known at all."""
        deadline = time.monotonic() + seconds
        while self._state not in FINAL:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._connection], [], [], left)[0]:
                return None
            for kind, _, state in self._connection.receive():
                if kind == b"smessage":
                    self._state = state.decode()
        return JobState(self._state)

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()
