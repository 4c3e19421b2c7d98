"""Maintains a host: removes expired finished jobs and their logs, and cleans up after killed pools."""

from __future__ import annotations

import math
import os
import signal
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from queuectl.errors import QueuectlError
from queuectl.logs import retention
from queuectl.model.worker import SILENT
from queuectl.options import Retention
from queuectl.settings import Settings
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.jobs import prune
from queuectl.storage.calls.workers import WorkerState, heartbeat
from queuectl.storage.scripts import CHUNK
from queuectl.worker.pool.cleanup import clean_up_dead_pools
from queuectl.worker.runner.runner import Place

FIRST_SECONDS = 2.0
PERIOD_SECONDS = 30.0
"""Pause between two rounds."""

LONGEST_SECONDS = 300
"""A round that takes longer is abandoned; the next one continues where it was."""

SWEEP_SECONDS = 3600.0
"""Pause between two searches of all logs, for those of jobs that another host removed."""

LOG_AGE_SECONDS = 86_400.0 + max(Retention.completed_retention.default, Retention.dead_retention.default)
"""Logs younger than this never count as left behind: they may be another queue's, in the same folder.

This host removes the logs of jobs that it removes at once; this is for jobs that another host removed.
"""


class Maintenance:
    """Runs a round now and then, in a child process: the pool itself must never wait for server or disk.

    ``forked`` is called in the child, to close whatever signals that the pool is alive. ``silent`` returns the
    runners that do not answer. Part of a pool, `Timed`.
    """

    def __init__(
        self, settings: Settings, host: str, forked: Callable[[], None], silent: Callable[[], list[Place]]
    ) -> None:
        self.due = math.inf
        self._pid = 0
        self._forked = forked
        self._silent = silent
        self._settings = settings
        self._host = host
        self._next_sweep = math.inf

    def start(self) -> None:
        """Plan the first round."""
        self.due = time.monotonic() + FIRST_SECONDS
        self._next_sweep = time.monotonic() + SWEEP_SECONDS

    def stop(self) -> None:
        """Kill the current round. Like a pool, it may be killed at any point."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def hurry(self) -> None:
        """Start the next round now."""
        self.due = time.monotonic()

    def turn(self) -> None:
        """Start a round, if one is due and none is running."""
        now = time.monotonic()
        if now < self.due:
            return
        self.due = now + PERIOD_SECONDS
        if self._pid:
            return
        sweep = now >= self._next_sweep
        if sweep:
            self._next_sweep = now + SWEEP_SECONDS
        try:
            self._pid = os.fork()
        except OSError:
            return  # no room for a process; the next round tries again
        if self._pid == 0:
            self._in_child(sweep)

    def is_process(self, pid: int) -> bool:
        """Whether this is the pid of the current round."""
        return pid == self._pid

    def ended(self, pid: int) -> bool:
        """Handle a pool child's exit. Returns whether it was the round."""
        if not self.is_process(pid):
            return False
        self._pid = 0
        return True

    def _in_child(self, sweep: bool) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LONGEST_SECONDS)
            self._forked()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)  # the round is short, and the signal is meant for the pool
            self._round(sweep)
            code = 0
        except (QueuectlError, OSError):
            pass  # no server, or a full disk: runners report it, and the next round tries again
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _round(self, sweep: bool) -> None:
        storage = RedisStorage(settings=self._settings)
        for place in self._silent():
            _report_silence(storage, place)
        clean_up_dead_pools(self._settings, storage, self._host)
        removed = [""] * CHUNK
        while len(removed) == CHUNK:
            removed = storage.run(prune())
            retention.remove(self._settings.home, removed)
        if sweep:
            sweeper = retention.LogSweeper(self._settings.home, partial(reads.exist, storage), LOG_AGE_SECONDS)
            sweeper.sweep(time.time())
            while sweeper.position:
                sweeper.sweep(time.time())


def _report_silence(storage: RedisStorage, place: Place) -> None:
    """Keep the workers of a runner that does not answer known to the server. Their leases end all the same."""
    for start in range(0, len(place.workers), CHUNK):
        call = heartbeat(
            *(place.name, place.host, place.pool_pid),
            lease_seconds=PERIOD_SECONDS,
            life_seconds=round(3 * PERIOD_SECONDS),
            workers=[WorkerState(worker, SILENT) for worker in place.workers[start : start + CHUNK]],
        )
        storage.run(call)
