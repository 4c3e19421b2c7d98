"""A pool: the process behind `worker start`. It starts runners, passes signals on, and cleans up after them.

Pool and runners watch each other. If the pool is killed, the runners see their socket close, stop their jobs and
exit. If a runner is killed, the kernel gives its jobs' processes to the pool, which kills them, frees the leases
and starts another runner. If all are killed at once, the guardian kills the processes, and the next pool on this
host finds the record, now unlocked, and frees the leases (see `cleanup`).
"""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from collections.abc import Callable

from queuectl.errors import QueuectlError
from queuectl.host import host_name
from queuectl.manager.workers import Workers
from queuectl.settings import Settings
from queuectl.storage import RedisStorage
from queuectl.storage.scripts import load_all
from queuectl.worker import tally
from queuectl.worker.attempt import descendants
from queuectl.worker.options import PoolOptions
from queuectl.worker.phase import Phases
from queuectl.worker.pool.cleanup import Cleanup, clean_up_dead_pools
from queuectl.worker.pool.guardian import Guardian
from queuectl.worker.pool.maintenance import Maintenance
from queuectl.worker.pool.members import Members
from queuectl.worker.pool.phase import ALLOWED, Phase
from queuectl.worker.pool.record import RecordFile
from queuectl.worker.pool.roll_call import RollCall
from queuectl.worker.pool.signals import ORDERS, catch_signals
from queuectl.worker.report import Reporter
from queuectl.worker.runner.messages import DRAIN, QUIT
from queuectl.worker.runner.runner import Place
from queuectl.worker.service import Timed
from queuectl.worker.shortage import CANNOT_START, explained
from queuectl.worker.title import POOL, set_title

FIXED_DESCRIPTORS = 100
DESCRIPTORS_EACH = 4
"""Open files per running job: its output, its log and that log's tail."""


class Pool:
    """Runs `options.workers` workers until drained. Call `run`.

    ``ready`` is called once all are up. ``base`` is the result of `cgroup.enter_pool`.
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
        self._host = host_name()
        self._storage = RedisStorage(settings=settings)
        self._reporter = Reporter(options.verbose)
        self._phases = Phases(Phase.WORKING, ALLOWED)
        self._before: set[int] = set()  # children that we had before there was a pool
        self._record = RecordFile(settings, self._host, options)
        self._guardian = Guardian()
        self._cleanup = Cleanup(self._storage, self._host, self._guardian, self._reporter, self._is_ours)
        self._maintenance = Maintenance(settings, self._host, self._let_go, self._silent)
        self._members = Members(
            settings,
            options,
            self._host,
            base,
            self._phases,
            self._record,
            self._guardian,
            self._cleanup,
            ready,
        )
        self._roll_call = RollCall(self._members, self._phases, options.grace_seconds, self._maintenance.hurry)
        self._timed: list[Timed] = [
            *(self._guardian, self._cleanup, self._maintenance, self._members, self._roll_call)
        ]

    def run(self) -> int:
        """Start the runners and stay until the last has exited; return the exit code."""
        began = time.monotonic()
        with explained(CANNOT_START):
            signals = self._start()
        self._work(signals)
        while self._taken_back():
            self._work(signals)
        self._stop()
        self._reporter.sum_up(tally.in_words(self._members.totals, time.monotonic() - began))
        return self._members.exit_code

    def _start(self) -> int:
        """Prepare everything but the runners; return the descriptor of signals."""
        set_title(POOL)
        self._before = set(descendants.children())
        signals = catch_signals()
        _allow_descriptors(FIXED_DESCRIPTORS + DESCRIPTORS_EACH * self._options.workers)
        descendants.become_subreaper()
        load_all()
        self._guardian.start()
        self._record.start()
        clean_up_dead_pools(self._settings, self._storage, self._host)
        self._cleanup.start()
        self._maintenance.start()
        self._roll_call.start()
        return signals

    def _work(self, signals: int) -> None:
        """Start all runners, and stay until they have exited and no job of theirs lives."""
        self._members.start()
        while self._members or self._cleanup.holds_leases:
            self._wait(signals, max(0.0, min(part.due for part in self._timed) - time.monotonic()))
            for part in self._timed:
                part.turn()

    def _stop(self) -> None:
        self._cleanup.stop()
        self._maintenance.stop()
        if self._cleanup.is_done:  # else leave the rest to the guardian and the next pool, as if we had been killed
            self._guardian.stop()
            self._record.stop()
        self._storage.close()

    def _taken_back(self) -> bool:
        """Whether `worker resume` came while our jobs were still finishing; see `record.take_stopped`."""
        if not self._members.any_at_rest or self._phases.now is not Phase.WORKING:
            return False
        self._record.mark(stopped=True)
        try:
            still_stopped = Workers(self._storage).are_stopped()
        except (QueuectlError, OSError):
            still_stopped = True
        self._storage.close()
        self._record.mark(stopped=still_stopped)
        return not still_stopped

    def _wait(self, signals: int, seconds: float) -> None:
        members = {member.fileno(): member for member in self._members.running()}
        readable, _, _ = select.select([signals, *members], [], [], seconds)
        for descriptor in readable:
            if descriptor != signals:
                self._members.hear(members[descriptor])
        if signals in readable:
            self._take_signals(os.read(signals, 4096))

    def _take_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGHUP and self._phases.now in (Phase.DRAINING, Phase.QUITTING):
                continue  # the terminal is gone; that doesn't count as a second signal
            if number in ORDERS:
                self._obey(at_once=number == signal.SIGQUIT)
        self._reap()

    def _obey(self, *, at_once: bool) -> None:
        """Drain; at a second signal, or ``at_once``, quit."""
        is_first = self._phases.enter(Phase.DRAINING)
        if is_first and os.isatty(2):
            os.write(2, b"\n")  # the terminal has just printed ^C
        if is_first and not at_once:
            Reporter.say("finishing the running jobs; a second signal puts them back into the queue at once")
            self._members.tell(DRAIN)
        else:
            if self._phases.enter(Phase.QUITTING):
                Reporter.say("stopping the running jobs; they go back to the queue")
                self._roll_call.hurry()
            self._members.tell(QUIT)
        self._cleanup.tell()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if not (self._members.ended(pid, code) or self._guardian.ended(pid) or self._maintenance.ended(pid)):
                self._before.discard(pid)

    def _is_ours(self, pid: int) -> bool:
        """Whether a child belongs to this pool or existed before it."""
        known = pid in self._members or pid in self._before
        return known or self._guardian.is_process(pid) or self._maintenance.is_process(pid)

    def _silent(self) -> list[Place]:
        """Return the runners that do not answer."""
        return self._members.silent()

    def _let_go(self) -> None:
        """Call in the maintenance child, whose life must not keep the pool looking alive."""
        self._members.let_go()
        self._guardian.let_go()
        self._record.let_go()


def _allow_descriptors(needed: int) -> None:
    """Raise the soft limit of open files if it is too low for the number of workers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))
