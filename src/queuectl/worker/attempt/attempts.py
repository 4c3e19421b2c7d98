"""One runner's current attempts: starts them, reads their output, stops them and reports their outcomes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from queuectl.logs.writer import LogWriter
from queuectl.model.job import Lease
from queuectl.model.outcome import Outcome
from queuectl.worker.attempt import process
from queuectl.worker.attempt.limiter import Limiter
from queuectl.worker.attempt.process import Ending, JobProcess
from queuectl.worker.attempt.spawn import CannotStart, Spawner
from queuectl.worker.attempt.survivors import Survivors
from queuectl.worker.loop import Loop, Once
from queuectl.worker.report import Reporter

WATCH_SECONDS = 0.005
"""We read a job's output while it runs only if it runs longer than this; else we read it when the job ends."""

LONG_SECONDS = 1.0
"""The assumed mean duration of jobs before any has ended."""

Report = Callable[[Lease, Outcome, str], None]
"""Called when an attempt has ended, with the lease, the outcome and the worker."""


class _Exit(NamedTuple):
    """How a command has exited: its wait status, and its CPU time with that of the children it waited for."""

    status: int
    cpu_seconds: float


class _Ended(NamedTuple):
    """An attempt none of whose processes lives, and since when."""

    running: JobProcess
    exit: _Exit
    at: float


class Attempts:
    """Runs up to one command for each of ``workers``, and calls ``report`` with each outcome.

    ``noticed`` is called when an attempt turns out to have processes that can't be killed.
    ``home`` is the state folder, for the logs. ``grace_seconds`` is the time between SIGTERM and SIGKILL. ``base``
    is where we can create control groups for jobs; None if nowhere.
    """

    def __init__(
        self,
        runner: str,
        workers: Sequence[str],
        home: str,
        grace_seconds: float,
        loop: Loop,
        report: Report,
        reporter: Reporter,
        base: str | None = None,
        noticed: Callable[[], None] = lambda: None,
    ) -> None:
        self._home = home
        self._grace_seconds = grace_seconds
        self._loop = loop
        self._report = report
        self._reporter = reporter
        self._noticed = noticed
        self._spawner = Spawner()
        self._limiter = Limiter(runner, base, loop, self.end, self.kill)
        self._running: dict[int, JobProcess] = {}
        self._outlived: dict[JobProcess, _Exit] = {}
        self._ended: list[_Ended] = []
        self._unwatched: list[JobProcess] = []
        self._watching = Once(loop, self._watch_outputs)
        self.survivors = Survivors(loop, self._outlived.__contains__, self._cannot_kill, self._conclude)
        self.free = list(reversed(workers))
        self.started = 0
        self.mean_seconds = LONG_SECONDS

    def expect_long(self) -> None:
        """Forget that recent jobs were short."""
        self.mean_seconds = LONG_SECONDS

    @property
    def running(self) -> Collection[JobProcess]:
        """The attempts that have a process: their command runs, or something that it left can't be killed."""
        return [*self._running.values(), *self._outlived] if self._outlived else self._running.values()

    def leases(self) -> list[Lease]:
        """Return the leases of all attempts, running or just ended, whose outcome is not yet reported."""
        return [*(running.lease for running in self.running), *(ended.running.lease for ended in self._ended)]

    def __bool__(self) -> bool:
        return bool(self._running or self._outlived or self._ended)

    def is_ours(self, pid: int) -> bool:
        """Whether this is the leader of a running attempt."""
        return pid in self._running

    def environment(self, variables: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
        """Return what `start` takes: the worker's own environment, overridden by ``variables``."""
        return self._spawner.environment(variables)

    def start(self, lease: Lease, environment: Mapping[bytes, bytes]) -> None:
        """Start a command on a free worker. If it can't be started, the attempt fails and its log says why.

        Raises OSError if the machine has no room for a process; then nothing was reported about the job.
        """
        worker = self.free.pop()
        try:
            entry = self._limiter.prepare(lease)
            pid, output = self._spawner.start(lease, environment, worker, entry)
        except CannotStart as error:
            self.free.append(worker)
            self._write_log(lease, f"queuectl: {error.reason}\n")
            self._report(lease, process.not_started(lease, error), worker)
            return
        except OSError:
            self.free.append(worker)
            raise
        running = JobProcess(lease, worker, pid, output, self._log_of, self._loop.clock())
        self._running[pid] = running
        self.started += 1
        self._unwatched.append(running)
        self._limiter.began(running)
        if timeout := lease.job.options.timeout:
            running.timer = self._loop.after(timeout, partial(self.end, running, process.TIMED_OUT))
        self._watching.plan(WATCH_SECONDS)

    def _watch_outputs(self) -> None:
        """Start reading the output of jobs that have run for a while; most short ones have ended."""
        young: list[JobProcess] = []
        for running in self._unwatched:
            if running.started_at > self._loop.now - WATCH_SECONDS:
                young.append(running)
            elif running.output is not None:
                running.watched = True
                self._loop.watch(running.output, partial(self._readable, running))
        self._unwatched = young
        if young:
            self._watching.plan(WATCH_SECONDS)

    def _readable(self, running: JobProcess) -> None:
        if running.output is not None and not running.read_output():
            self._loop.forget(running.output)
            running.close_output()
        if running.overflow is not None:
            self.end(running, running.overflow)

    def reap(self) -> None:
        """Reap the commands that have ended, and free their workers."""
        while True:
            try:
                # Peek first: while the leader is a zombie, its group's id can't be reused.
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            running = self._running.pop(ended.si_pid, None)
            if running is not None:
                self._limiter.kill_group(running)
                running.signal_group(signal.SIGKILL)
            try:
                _, status, used = os.wait4(ended.si_pid, 0)
            except ChildProcessError:
                continue  # the connecting thread started a server and reaped its own child first
            if running is not None:
                self._exited(running, _Exit(status, used.ru_utime + used.ru_stime))

    def _exited(self, running: JobProcess, how: _Exit) -> None:
        """End the attempt, unless other processes of it live and another attempt must not start yet."""
        orphans: set[int] = set()
        if how.status or running.ending:
            jobs = {other.lease.job_id.encode() for other in self.running}
            orphans = self.survivors.new_orphans(self.is_ours, jobs)
        self._outlived[running] = how
        if running.ending is not process.LEASE_LOST and (orphans or running.group_lives()):
            self.survivors.watch(running, orphans)
        else:
            self.survivors.forget(running)
            self._conclude(running)

    def _conclude(self, running: JobProcess) -> None:
        how = self._outlived.pop(running)
        if running.watched and running.output is not None:
            self._loop.forget(running.output)
            running.watched = False
        self.free.append(running.worker)
        self._ended.append(_Ended(running, how, self._loop.now))

    def _cannot_kill(self, running: JobProcess) -> None:
        assert running.unkillable is not None
        running.note(f"{running.unkillable.words} can't be killed; this attempt ends when it exits")
        self.survivors.tell()
        self._noticed()

    def settle(self) -> bool:
        """Report the outcomes of reaped attempts. Returns whether there were any."""
        ended, self._ended = self._ended, []
        for running, (status, cpu_seconds), at in ended:
            if running.timer is not None:
                running.timer.cancel()
            running.finish()
            breach = self._limiter.ended(running, cpu_seconds)
            running.ending = running.ending or breach
            self.mean_seconds += (at - running.started_at - self.mean_seconds) / 8
            outcome = running.outcome(status, at)
            if outcome is not None:
                if running.log is not None and running.log.error is not None:
                    self._reporter.say_once(f"a log can't be written: {running.log.error}")
                    outcome = outcome._replace(detail="its log is not complete")
                self._report(running.lease, outcome, running.worker)
        return bool(ended)

    def end(self, running: JobProcess, ending: Ending) -> None:
        """Send SIGTERM now, and SIGKILL after the grace period."""
        if self._running.get(running.pid) is not running or running.ending is not None:
            return
        running.ask_to_end(ending)
        if running.timer is not None:
            running.timer.cancel()
        running.timer = self._loop.after(self._grace_seconds, partial(self.kill, running, ending))

    def kill(self, running: JobProcess, ending: Ending) -> None:
        """SIGKILL all its processes; it ends when they are gone."""
        if self._running.get(running.pid) is running:
            self._limiter.kill_group(running)
            running.kill(ending)
            self.survivors.watch(running)

    def with_lease(self, job_id: str, fence: int) -> list[JobProcess]:
        """Return the attempts under exactly this lease: one or none."""
        return [p for p in self.running if (p.lease.job_id, p.lease.fence) == (job_id, fence)]

    def _log_of(self, lease: Lease) -> LogWriter:
        return LogWriter(self._home, lease.job_id, lease.job.attempts + 1, lease.fence)

    def _write_log(self, lease: Lease, text: str) -> None:
        log = self._log_of(lease)
        log.write(text.encode("utf-8", "replace"))
        log.close()
