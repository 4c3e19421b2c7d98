"""A pool: the process behind `worker start`. It starts runners, passes signals on, and cleans up behind them.

Pool and runners watch over each other. If the pool is killed, the runners see their socket close, end their
jobs and leave. If a runner is killed, the kernel gives its jobs' processes to the pool, which ends them, frees
the leases and starts another runner. If all are killed at once, the next pool on this host finds the record
that nobody holds any more, and does the same (see `record`, `descendants`).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from queuectl.errors import QueuectlError
from queuectl.logs import retention
from queuectl.model.config import RETENTION_DEFAULTS
from queuectl.settings import Settings
from queuectl.storage import RedisStorage
from queuectl.storage.scripts import CHUNK
from queuectl.worker import descendants
from queuectl.worker.burial import bury_dead_pools, free_leases
from queuectl.worker.options import PoolOptions
from queuectl.worker.record import RecordFile, take_stopped
from queuectl.worker.report import Reporter
from queuectl.worker.runner import DRAIN, EMPTY, LOOK, QUIT, READY, STOPPED, Place, Runner

MAINTENANCE_SECONDS = 30.0
"""Between two looks for finished jobs past their retention, their logs, and pools that were killed."""

LOG_AGE_SECONDS = 86_400.0 + max(RETENTION_DEFAULTS["completed_retention"], RETENTION_DEFAULTS["dead_retention"])
"""Logs younger than this are never taken for left behind: they may be another queue's, in the same folder.

Those of jobs that this host removes go at once; this is for the logs of jobs that another host removed.
"""

QUICK_DEATH_SECONDS = 5.0
MAX_QUICK_DEATHS = 5


class _Member(NamedTuple):
    """A runner as its pool sees it."""

    pid: int
    name: str
    workers: list[str]
    socket: socket.socket
    started_at: float


class Pool:
    """Runs `options.workers` workers until it is drained. `run` does it all."""

    def __init__(self, settings: Settings, options: PoolOptions, ready: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._options = options
        self._ready = ready
        self._host = host_name()
        self._storage = RedisStorage(settings=settings)
        self._members: dict[int, _Member] = {}
        self._announced = 0
        self._signals_seen = 0
        self._quick_deaths = 0
        self._stopped = False
        self._failed = False
        self._sweeper = retention.LogSweeper(settings.home, self._storage.exist, older_than_seconds=LOG_AGE_SECONDS)

    def run(self) -> int:
        """Start the runners and stay until the last has ended; gives the exit code."""
        self._storage.resume()
        for _ in take_stopped(self._settings, self._host):
            pass  # this pool is started instead of those that were stopped before: `worker resume` leaves them
        self._waker, wake = os.pipe()
        for descriptor in (self._waker, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        descendants.become_subreaper()
        self._record = RecordFile(self._settings, self._host, self._options)
        bury_dead_pools(self._settings, self._storage, self._host)
        for workers in self._shares():
            self._start(workers)
        next_maintenance = time.monotonic() + min(MAINTENANCE_SECONDS, 2.0)
        while self._members:
            self._wait(max(0.0, next_maintenance - time.monotonic()))
            if time.monotonic() >= next_maintenance:
                next_maintenance = time.monotonic() + (MAINTENANCE_SECONDS if not self._maintain() else 0.05)
        self._end_orphans()
        self._record.close(stopped=self._stopped)
        self._storage.close()
        return 1 if self._failed else 0

    # Runners --------------------------------------------------------------------------------------

    def _shares(self) -> list[list[str]]:
        """The workers' names by runner: a runner for each processor, if there are so many workers."""
        runners = min(self._options.workers, processors())
        counts = [self._options.workers // runners] * runners
        for extra in range(self._options.workers % runners):
            counts[extra] += 1
        return [[str(number + 1) for number in range(count)] for count in counts]

    def _start(self, numbers: list[str]) -> None:
        name = f"{self._host}-{os.urandom(3).hex()}"
        workers = [f"{name}-{number}" for number in numbers]
        self._record.add_runner(name)
        self._storage.close()  # a connection is one process's own
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                ours.close()
                for member in self._members.values():
                    member.socket.close()
                place = Place(name, workers, self._host, os.getppid())
                code = Runner(place, self._options, self._settings, theirs.fileno()).run()
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(code)
        theirs.close()
        ours.setblocking(False)
        self._members[pid] = _Member(pid, name, workers, ours, time.monotonic())
        if self._signals_seen:
            self._tell(self._members[pid], DRAIN)

    def _wait(self, seconds: float) -> None:
        sockets = {member.socket.fileno(): member for member in self._members.values()}
        readable, _, _ = select.select([self._waker, *sockets], [], [], seconds)
        for descriptor in readable:
            if descriptor != self._waker:
                self._hear(sockets[descriptor])
        if self._waker in readable:
            self._take_signals(set(os.read(self._waker, 4096)))

    def _hear(self, member: _Member) -> None:
        try:
            message = member.socket.recv(64)
        except OSError:
            return
        if READY in message:
            self._quick_deaths = 0  # runners can start: one that dies now dies of a job, and those are counted
            self._announced += 1
            if self._announced == len(self._members):
                self._ready()
        if EMPTY in message:
            for other in self._members.values():
                self._tell(other, LOOK)

    def _take_signals(self, signals: set[int]) -> None:
        for _ in signals & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
            self._signals_seen += 1
            if self._signals_seen == 1:
                if os.isatty(2):
                    os.write(2, b"\n")  # the terminal has just printed ^C
                Reporter.say("finishing the running jobs; a second signal puts them back into the queue at once")
            for member in self._members.values():
                self._tell(member, DRAIN if self._signals_seen == 1 else QUIT)
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._members:
                self._ended(self._members.pop(pid), os.waitstatus_to_exitcode(status))

    def _ended(self, member: _Member, code: int) -> None:
        member.socket.close()
        if code in (0, STOPPED):
            self._stopped = self._stopped or code == STOPPED
            return
        self._end_orphans()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        Reporter.say(f"runner {member.name} died ({how}); its jobs go back to the queue")
        try:
            free_leases(self._storage, member.name, member.workers)
        except QueuectlError as error:
            Reporter.say(f"{error.message} The leases will end by themselves.")
        quick = time.monotonic() - member.started_at < QUICK_DEATH_SECONDS
        self._quick_deaths = self._quick_deaths + 1 if quick else 0
        if self._quick_deaths >= MAX_QUICK_DEATHS:
            Reporter.say("runners die as soon as they are started; giving up")
            self._failed = True
        elif not self._signals_seen and not self._stopped:
            self._start([worker.rpartition("-")[2] for worker in member.workers])

    def _tell(self, member: _Member, message: bytes) -> None:
        try:
            member.socket.send(message)
        except OSError:
            pass  # it has just ended

    def _end_orphans(self) -> None:
        """End what a dead runner's jobs left to us, and theirs."""
        while strays := descendants.end_adopted(self._members.__contains__):
            for pid in strays:
                os.waitpid(pid, 0)

    # Maintenance ----------------------------------------------------------------------------------

    def _maintain(self) -> bool:
        """One small piece of housekeeping; gives whether there is more to do at once."""
        try:
            bury_dead_pools(self._settings, self._storage, self._host)
            removed = self._storage.prune(RETENTION_DEFAULTS)
            retention.remove(self._settings.home, removed)
            self._sweeper.sweep(time.time())
            return len(removed) == CHUNK
        except QueuectlError:
            return False  # the server is away; the runners say so, and try again


def processors() -> int:
    """How many processors we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def host_name() -> str:
    """This host's name, in the alphabet of worker names."""
    name = "".join(c if (c.isascii() and c.isalnum()) or c in "-." else "-" for c in os.uname().nodename)
    return name[:40].strip("-.") or "host"
