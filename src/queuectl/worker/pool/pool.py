"""A pool: the process behind `worker start`. It starts runners, passes signals on, and cleans up behind them.

Pool and runners watch over each other. If the pool is killed, the runners see their socket close, end their
jobs and leave. If a runner is killed, the kernel gives its jobs' processes to the pool, which ends them, frees
the leases and starts another runner. If all are killed at once, the guardian ends the processes, and the next
pool on this host finds the record that nobody holds any more and frees the leases (see `burial`).
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from queuectl.errors import QueuectlError
from queuectl.host import host_name, processors
from queuectl.settings import Settings
from queuectl.storage import RedisStorage
from queuectl.storage.scripts import load_all
from queuectl.worker.attempt import cgroup, descendants
from queuectl.worker.options import PoolOptions
from queuectl.worker.pool.cleanup import bury_dead_pools, free_leases
from queuectl.worker.pool.guardian import Guardian
from queuectl.worker.pool.maintenance import Maintenance
from queuectl.worker.pool.record import RecordFile
from queuectl.worker.report import Reporter
from queuectl.worker.runner.runner import (
    DRAIN,
    DRAINED,
    EMPTY,
    LOOK,
    QUIT,
    READY,
    REFUSED,
    RESUMED,
    STOPPED,
    STOPPING,
    Place,
    Runner,
)

QUICK_DEATH_SECONDS = 5.0
MAX_QUICK_DEATHS = 5

RESTART_SECONDS = 0.5
"""Pause before a runner that died quickly is replaced."""

BURIAL_SECONDS = 5.0
"""Pause before the server is asked again to free a dead runner's leases; in the end they end by themselves."""

FIXED_DESCRIPTORS = 100
DESCRIPTORS_EACH = 4
"""Open files that a running job takes: its output, its log and that log's end."""

GUARDIAN_PAUSE_SECONDS = 10.0

STRAY_SECONDS = 2.0
"""How long processes that were killed are waited for: one that is stuck in the kernel must not hold up a pool."""


class _Member(NamedTuple):
    """A runner as its pool sees it."""

    pid: int
    name: str
    workers: list[str]
    socket: socket.socket
    started_at: float


class Pool:
    """Runs `options.workers` workers until it is drained. `run` does it all.

    ``base`` is what `cgroup.enter_pool` has given.
    """

    def __init__(
        self,
        settings: Settings,
        options: PoolOptions,
        ready: Callable[[], None] = lambda: None,
        base: str | None = None,
    ) -> None:
        self._settings = settings
        self._options = options
        self._ready = ready
        self._base = base
        self._host = host_name()
        self._storage = RedisStorage(settings=settings)
        self._members: dict[int, _Member] = {}
        self._expected = 0
        self._announced = 0
        self._signals_seen = 0
        self._quick_deaths = 0
        self._failed = False
        self._restarts: list[tuple[float, list[str]]] = []
        self._stopping: set[int] = set()  # runners that obey the stop signal, and only finish their jobs
        self._at_rest: list[list[str]] = []  # workers of those that have ended so
        self._before: set[int] = set()  # children that were ours before there was a pool
        self._guardian_due = float("inf")
        self._dead: list[_Member] = []  # runners that died, whose leases are still to be freed
        self._burial_due = float("inf")
        self._reporter = Reporter(options.verbose)

    def run(self) -> int:
        """Start the runners and stay until the last has ended; gives the exit code."""
        self._before = set(descendants.children())
        self._catch_signals()
        _allow_descriptors(FIXED_DESCRIPTORS + DESCRIPTORS_EACH * self._options.workers)
        descendants.become_subreaper()
        load_all()
        self._guardian = Guardian()
        self._replace_guardian()
        self._record = RecordFile(self._settings, self._host, self._options)
        self._maintenance = Maintenance(self._settings, self._host, self._let_go_of_all)
        bury_dead_pools(self._settings, self._storage, self._host)
        self._work()
        while self._taken_back():
            self._work()
        self._bury()
        self._maintenance.end()
        if not self._unburied():  # else the guardian and the next pool go on, as if we had been killed
            self._guardian.dismiss()
            self._record.close()
        self._storage.close()
        return 1 if self._failed else 0

    def _work(self) -> None:
        """Start all runners, and stay until they have ended."""
        self._at_rest.clear()
        shares = self._shares()
        self._expected = len(shares)
        for numbers in shares:
            self._start(numbers)
        while self._members or self._restarts:
            due = [self._guardian_due, self._burial_due, *(when for when, _ in self._restarts)]
            until_restart = min(due) - time.monotonic()
            self._wait(max(0.0, min(self._maintenance.seconds_until_due(), until_restart)))
            self._maintenance.turn()
            self._restart_due()

    def _restart_due(self) -> None:
        if self._guardian_due <= time.monotonic():
            self._replace_guardian()
        if self._burial_due <= time.monotonic():
            self._bury()
        due = [entry for entry in self._restarts if entry[0] <= time.monotonic()]
        for entry in due:
            self._restarts.remove(entry)
            if self._is_stopped():
                self._at_rest.append(entry[1])
            elif not self._signals_seen:
                self._start(entry[1])

    def _is_stopped(self) -> bool:
        """Whether the stop signal is in force, as far as our runners know."""
        return self._members.keys() <= self._stopping and bool(self._members or self._at_rest)

    def _wake_up(self, pause: float) -> None:
        """Have those at rest work again."""
        self._restarts += [(time.monotonic() + pause, share) for share in self._at_rest]
        self._at_rest.clear()

    def _taken_back(self) -> bool:
        """Whether `worker resume` came while we were still finishing our jobs; see `record.take_stopped`."""
        if not self._at_rest or self._signals_seen or self._failed:
            return False
        self._mark(stopped=True)
        try:
            still_stopped = self._storage.overview().stopped
        except (QueuectlError, OSError):
            still_stopped = True
        self._storage.close()
        self._mark(stopped=still_stopped)
        return not still_stopped

    # Runners --------------------------------------------------------------------------------------

    def _shares(self) -> list[list[str]]:
        """The workers' numbers by runner: a runner for each processor, if there are so many workers."""
        runners = min(self._options.workers, processors())
        least, extra = divmod(self._options.workers, runners)
        sizes = [least + (number < extra) for number in range(runners)]
        return [[str(number + 1) for number in range(size)] for size in sizes]

    def _start(self, numbers: list[str]) -> None:
        name = f"{self._host}-{os.urandom(3).hex()}"
        workers = [f"{name}-{number}" for number in numbers]
        self._note(lambda: self._record.add_runner(name))
        self._guardian.watch(name)
        self._storage.close()  # a connection is one process's own
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._start_later(numbers, error)
            return
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            self._start_later(numbers, error)
            return
        if pid == 0:
            code = 70
            try:
                ours.close()
                self._let_go()
                place = Place(name, workers, self._host, os.getppid(), self._base)
                code = Runner(place, self._options, self._settings, theirs.fileno()).run()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        theirs.close()
        ours.setblocking(False)
        self._members[pid] = _Member(pid, name, workers, ours, time.monotonic())
        if self._signals_seen:
            self._tell(self._members[pid], DRAIN)

    def _start_later(self, numbers: list[str], error: OSError) -> None:
        Reporter.say(f"no runner could be started ({error.strerror}); trying again in a moment")
        self._restarts.append((time.monotonic() + RESTART_SECONDS, numbers))

    def _let_go(self) -> None:
        """In a child process: a runner has lost its pool when the pool itself is gone, whoever else lives."""
        for member in self._members.values():
            member.socket.close()

    def _let_go_of_all(self) -> None:
        """In the child that does housekeeping: whether it lives says nothing of the pool."""
        self._let_go()
        self._guardian.let_go()
        self._record.let_go()

    def _wait(self, seconds: float) -> None:
        sockets = {member.socket.fileno(): member for member in self._members.values()}
        readable, _, _ = select.select([self._waker, *sockets], [], [], seconds)
        for descriptor in readable:
            if descriptor != self._waker:
                self._hear(sockets[descriptor])
        if self._waker in readable:
            self._take_signals(os.read(self._waker, 4096))

    def _hear(self, member: _Member) -> None:
        try:
            message = member.socket.recv(64)
        except OSError:
            return
        if READY in message:
            self._quick_deaths = 0  # runners can start: one that dies now dies of a job, and those are counted
            self._announced += 1
            if self._announced == self._expected:
                self._ready()
        for said in message:
            if said == STOPPING[0]:
                self._stopping.add(member.pid)
            elif said == RESUMED[0]:
                self._stopping.discard(member.pid)
                self._wake_up(0.0)
        if EMPTY in message:
            for other in self._members.values():
                self._tell(other, LOOK)

    def _ended(self, member: _Member, code: int) -> None:
        member.socket.close()
        cgroup.end_groups_of([member.name], self._base)
        stopped = code == STOPPED or member.pid in self._stopping
        self._stopping.discard(member.pid)
        share = [worker.rpartition("-")[2] for worker in member.workers]
        if code == REFUSED:
            self._failed = True
            return
        if code == DRAINED and (self._signals_seen or self._options.burst):
            return
        quick = time.monotonic() - member.started_at < QUICK_DEATH_SECONDS
        if code not in (DRAINED, STOPPED):
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            Reporter.say(f"runner {member.name} died ({how}); its jobs go back to the queue")
            self._dead.append(member)
            self._quick_deaths = self._quick_deaths + 1 if quick else 0
        self._bury()
        if self._quick_deaths >= MAX_QUICK_DEATHS:
            Reporter.say("runners die as soon as they are started; giving up")
            self._failed = True
            self._restarts.clear()
        elif stopped:
            self._at_rest.append(share)
            if not self._is_stopped():
                # Others work: they have gone on since, or have yet to hear of the stop, as the next one will.
                self._wake_up(RESTART_SECONDS)
        elif not self._signals_seen:
            self._restarts.append((time.monotonic() + (RESTART_SECONDS if quick else 0.0), share))

    def _bury(self) -> None:
        """End what runners have left to us, then free the leases of those that died; if not now, then later.

        In this order: a job must not run elsewhere beside its old processes.
        """
        self._burial_due = float("inf")
        try:
            self._end_orphans()
        except OSError as error:
            self._reporter.say_once(f"what runners left can't be looked for yet ({error.strerror})")
            self._burial_due = time.monotonic() + RESTART_SECONDS
            return
        self._dead = [member for member in self._dead if not self._free_leases(member)]
        if self._dead:
            self._burial_due = time.monotonic() + BURIAL_SECONDS

    def _free_leases(self, member: _Member) -> bool:
        try:
            free_leases(self._storage, member.name, member.workers)
        except (QueuectlError, OSError) as error:  # OSError: not even a module can be opened
            self._reporter.say_once(f"the leases of a runner that died can't be freed yet: {error}")
            return False
        return True

    def _unburied(self) -> bool:
        return self._burial_due < float("inf")

    def _tell(self, member: _Member, message: bytes) -> None:
        try:
            member.socket.send(message)
        except OSError:
            pass  # it has just ended

    # Signals and processes ------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        self._waker, wake = os.pipe()
        for descriptor in (self._waker, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a shell's background job
                signal.signal(number, lambda *_: None)

    def _take_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT) or (number == signal.SIGHUP and not self._signals_seen):
                self._drain_or_quit()
        self._reap()

    def _drain_or_quit(self) -> None:
        self._signals_seen += 1
        if self._signals_seen == 1:
            if os.isatty(2):
                os.write(2, b"\n")  # the terminal has just printed ^C
            Reporter.say("finishing the running jobs; a second signal puts them back into the queue at once")
        for member in self._members.values():
            self._tell(member, DRAIN if self._signals_seen == 1 else QUIT)

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
            elif pid == self._guardian.pid:
                self._guardian_due = time.monotonic() + RESTART_SECONDS
            else:
                self._before.discard(pid)
                self._maintenance.ended(pid)

    def _replace_guardian(self) -> None:
        try:
            self._guardian.start()
        except OSError as error:
            Reporter.say(f"the guardian can't be started: {error.strerror}")
            self._guardian_due = time.monotonic() + GUARDIAN_PAUSE_SECONDS
            return
        self._guardian_due = float("inf")
        for member in self._members.values():
            self._guardian.watch(member.name)

    def _end_orphans(self) -> None:
        """End what a dead runner's jobs left to us, and theirs."""
        deadline = time.monotonic() + STRAY_SECONDS
        while strays := set(descendants.end_adopted(self._is_ours)):
            while strays and time.monotonic() < deadline:
                strays = {pid for pid in strays if os.waitpid(pid, os.WNOHANG)[0] == 0}
                if strays:
                    time.sleep(0.002)
            if strays:
                return

    def _is_ours(self, pid: int) -> bool:
        return pid in self._members or pid in self._before or pid in (self._guardian.pid, self._maintenance.pid)

    def _mark(self, *, stopped: bool) -> None:
        self._note(lambda: self._record.mark(stopped=stopped))

    @staticmethod
    def _note(write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:  # a full disk must not end the jobs that run
            Reporter.say(f"the pool's record can't be written: {error.strerror}")


def _allow_descriptors(needed: int) -> None:
    """Raise the soft limit of open files if there are more workers than it has room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))
