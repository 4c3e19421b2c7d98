"""Starts one worker for as long as a job needs it, where no other worker runs: used by `run`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping

from queuectl.errors import QueuectlError, ServerUnreachable
from queuectl.host import host_name
from queuectl.manager.environment import VARIABLES
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from queuectl.worker.options import PoolOptions
from queuectl.worker.pool import detach, superuser
from queuectl.worker.pool.cleanup import clean_up_dead_pools
from queuectl.worker.pool.record import works_here

LOOK_SECONDS = 5.0
"""Pause between two checks whether a worker runs."""

SESSION_VARIABLES = frozenset(
    ["HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS"]
)
"""Variables that every login shell has, and so every worker started from one."""


def session_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return this shell's environment for a temporary worker, without variables set for one command or shell.

    So a job sees the same variables whether or not a worker was already up.
    """
    kept = SESSION_VARIABLES | {os.fsdecode(name) for name in VARIABLES}
    return {
        name: value
        for name, value in environ.items()
        if name in kept or name.startswith(("QUEUECTL_", "XDG_", "PYTHON"))
    }


class TemporaryPool:
    """Ensures that one job has a worker. Calls ``starting`` with the number of jobs ahead of it."""

    def __init__(self, storage: RedisStorage, starting: Callable[[int], None]) -> None:
        self._storage = storage
        self._settings = storage.settings
        self._starting = starting
        self._pid = 0
        self._next_look = 0.0

    def check(self) -> None:
        """Refuse to enqueue a job that would only wait."""
        seen = self._storage.run(overview())
        if seen.stopped:
            raise QueuectlError(
                "The workers are stopped: the job would wait for them.", "Go on with: queuectl worker resume"
            )
        if not seen.workers:
            superuser.check(allowed=self._settings.allow_root)

    def look(self) -> None:
        """Call now and then: start a worker if none is up. This also cleans up after a killed pool."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            self._see_to_it()
        except ServerUnreachable:
            pass  # the job's watcher waits for the server to return, and so do we

    def is_here(self, job: Job) -> bool:
        """Whether a worker with this state folder has run the job."""
        if job.run is None or job.run.host != host_name():
            return False
        return bool(self._pid) or works_here(self._settings, job.run.worker)

    def end(self) -> None:
        """Stop the worker we started: the job is over."""
        if self._pid:
            try:
                os.kill(self._pid, signal.SIGTERM)
            except ProcessLookupError:
                pass  # it had no work left and has exited

    def _see_to_it(self) -> None:
        clean_up_dead_pools(self._settings, self._storage, host_name())
        seen = self._storage.run(overview())
        if seen.workers or seen.stopped:
            return
        self._starting(max(0, seen.jobs[JobState.PENDING] - 1))
        # In burst mode, so that after a Ctrl-C it finishes the job and then exits.
        options = PoolOptions(workers=1, burst=True)
        self._pid = detach.start_detached(self._settings, options, session_environment())
