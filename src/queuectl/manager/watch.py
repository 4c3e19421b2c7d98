"""Waits for the end of jobs, without polling, and outlasts a restart or a failover of the server."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from queuectl.errors import BadConfiguration, JobNotFound, QueuectlError, RecordInvalid, ServerUnreachable
from queuectl.manager.queue_manager import OnWait, damaged
from queuectl.model.job import Job
from queuectl.model.lifecycle import FINAL, JobState
from queuectl.settings import Settings
from queuectl.storage.watcher import Watcher

T = TypeVar("T")

ASK_SECONDS = 5.0
"""How often we ask for the states although nothing was announced: a removed job never ends."""

RECONNECT_SECONDS = 0.1
"""Pause between two tries to reach the server."""

TELL_SECONDS = 1.0
"""A server that is back sooner is not worth a message."""


class Watch:
    """What happens to some jobs from now on.

    If the server goes away, it connects again, and asks for all states again, so that it misses nothing. It gives
    up after ``patience_seconds`` without a server. Calls ``on_wait`` once for each outage of more than a second.
    Methods raise JobNotFound if a job doesn't exist or was removed, and the error of the last try to connect.
    """

    def __init__(
        self,
        settings: Settings,
        job_ids: Sequence[str],
        *,
        patience_seconds: float,
        on_wait: OnWait = lambda error: None,
    ) -> None:
        self.failures: Counter[str] = Counter()
        """How many attempts of each job failed and will be retried; one failure may count more than once."""
        self._settings = settings
        self._states = dict.fromkeys(job_ids, "")
        self._patience_seconds = patience_seconds
        self._on_wait = on_wait
        self._watcher: Watcher | None = None
        self._was_connected = False
        self._lost_at: float | None = None
        self._told = False
        self._ask_at = 0.0

    def ended(self, job_id: str) -> JobState | None:
        """Return the job's final state as of the last `wait`; None if it was not over."""
        state = self._states[job_id]
        return JobState(state) if state in FINAL else None

    def wait(self, seconds: float) -> None:
        """Wait until something happens to a job, at most ``seconds``. The first call returns at once."""
        deadline = time.monotonic() + seconds
        fresh = self._watcher is None

        def listen(watcher: Watcher) -> bool:
            left = 0.0 if fresh else max(0.0, min(deadline, self._ask_at) - time.monotonic())
            for job_id, state in watcher.hear(left):
                if state and job_id in self._states:
                    self._learn(job_id, state)
            if time.monotonic() >= self._ask_at:
                self._ask(watcher)
            return True

        if not self._tried(listen):
            time.sleep(max(0.0, min(RECONNECT_SECONDS, deadline - time.monotonic())))

    def job(self, job_id: str) -> Job:
        """Read a job, however long the server is away within patience; RecordInvalid if its hash is no job."""
        while True:
            try:
                found = self._tried(lambda watcher: [watcher.job(job_id)])
            except RecordInvalid as error:
                raise damaged(job_id, error.message) from None
            if found is None:
                time.sleep(RECONNECT_SECONDS)
            elif found[0] is None:
                raise _gone(job_id)
            else:
                return found[0]

    def close(self) -> None:
        """Stop listening."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _tried(self, act: Callable[[Watcher], T]) -> T | None:
        """Connect if need be and call ``act``; None if the server is away, and patience not at its end."""
        try:
            if self._watcher is None:
                self._connect()
            assert self._watcher is not None
            result = act(self._watcher)
        except ServerUnreachable as error:
            self._lost(error)
        except BadConfiguration as error:
            # A failover: what answers at the address may still be a replica, or not serve yet.
            if not self._was_connected:
                raise
            self._lost(error)
        else:
            self._was_connected, self._lost_at = True, None
            return result
        return None

    def _connect(self) -> None:
        self._watcher = Watcher(self._settings)
        for job_id, state in self._watcher.watch(self._open()).items():
            self._learn(job_id, state)
        self._ask_at = time.monotonic() + ASK_SECONDS

    def _ask(self, watcher: Watcher) -> None:
        for job_id, state in watcher.states(self._open()).items():
            if state in FINAL or not state:
                self._learn(job_id, state)
        self._ask_at = time.monotonic() + ASK_SECONDS

    def _open(self) -> list[str]:
        return [job_id for job_id, state in self._states.items() if state not in FINAL]

    def _learn(self, job_id: str, state: str) -> None:
        if not state:
            raise _gone(job_id)
        self._states[job_id] = state
        self.failures[job_id] += state == JobState.FAILED.value

    def _lost(self, error: QueuectlError) -> None:
        self.close()
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at, self._told = now, False
        if now - self._lost_at >= self._patience_seconds:
            raise error
        if not self._told and now - self._lost_at > TELL_SECONDS:
            self._told = True
            self._on_wait(error)


def _gone(job_id: str) -> JobNotFound:
    return JobNotFound(
        f"Job {job_id} is not in the queue any more.",
        "It was removed, or the server was emptied. See: queuectl list",
    )
