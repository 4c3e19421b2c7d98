"""One process of a pool: its workers, each running one job at a time, around one event loop."""

from __future__ import annotations

import os
import signal
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from queuectl.logs.writer import LogWriter
from queuectl.model.job import HANDED_BACK, Outcome
from queuectl.model.job_limits import NO_LIMITS
from queuectl.settings import Settings
from queuectl.storage.calls import Claim, WorkerState
from queuectl.storage.codec import Lease
from queuectl.worker import descendants, process
from queuectl.worker.dispatcher import Dispatcher
from queuectl.worker.limiter import Limiter
from queuectl.worker.loop import Loop
from queuectl.worker.options import PoolOptions
from queuectl.worker.process import Ending, JobProcess
from queuectl.worker.report import Reporter
from queuectl.worker.spawn import CannotStart, Spawner

AHEAD = 16
"""Jobs that are claimed beyond the free workers while jobs prove to be short."""

SHORT_SECONDS = 0.05
"""Jobs that take less, on average, are claimed ahead. Longer ones are not: another pool could starve."""

VIEW_SECONDS = 0.1
"""A worker's record is brought up to date so long after a change; what is over sooner is never shown."""

WATCH_SECONDS = 0.005
"""Output is read while a job runs only if it runs so long; of shorter ones it is read when they end."""

SWEEP_SECONDS = 0.25
"""Processes that left their job's group are looked for so long after its end."""

AGAIN_SECONDS = 0.02
"""If there were any, their children are ours so much later."""

BURST_LOOK_SECONDS = 1.0
"""In a burst: between two looks whether the jobs that another pool runs have ended."""

NO_ROOM_SECONDS = 1.0
"""Pause after the system refused to start a process at all."""

ENVIRONMENTS = 256
"""Environments that are remembered."""

# What the pool says to a runner, and a runner to its pool, over the socket between them: one byte each.
DRAIN, QUIT, LOOK = b"d", b"q", b"l"
READY, EMPTY, RESUMED, STOPPING = b"r", b"e", b"o", b"s"

DRAINED, STOPPED = 0, 3
"""Exit codes: by a signal or with nothing left to do; by the stop signal in the server."""


class Place(NamedTuple):
    """Where a runner belongs: its own name, the names of its workers, its host, and its pool's pid."""

    name: str
    workers: list[str]
    host: str
    pool_pid: int


class Runner:
    """Runs jobs until it is told to stop. Implements the dispatcher's `Crew`."""

    def __init__(self, place: Place, options: PoolOptions, settings: Settings, pool_socket: int) -> None:
        self._place = place
        self._options = options
        self._home = settings.home
        self._pool = pool_socket
        self._loop = Loop([signal.SIGCHLD, signal.SIGTERM])
        self._spawner = Spawner()
        self._limiter = Limiter(place.name, self._loop, self._end)
        self._reporter = Reporter(options.verbose)
        self._free = list(reversed(place.workers))
        self._ready: deque[Lease] = deque()
        self._processes: dict[int, JobProcess] = {}
        self._shown: dict[str, WorkerState] = {}
        self._environments: OrderedDict[str, Mapping[bytes, bytes]] = OrderedDict()
        self.know_environment("", {})
        self._ended: list[tuple[JobProcess, int, float]] = []
        self._unwatched: list[JobProcess] = []
        self._watch_planned = False
        self._mean_seconds = 1.0
        self._started = 0
        self._ahead_planned = False
        self._view_planned = self._sweep_planned = self._look_planned = False
        self._announced = False
        self._no_room = False
        self._draining = False
        self._hurried = False
        self._stopped = False
        descendants.become_subreaper()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the pool tells us
        self._loop.watch(pool_socket, self._hear_pool)
        self._dispatcher = Dispatcher(
            place.name, place.host, place.pool_pid, settings, options.lease_seconds, self._loop, self
        )

    def run(self) -> int:
        """Work until the end; gives the exit code."""
        while not self._dispatcher.retired:
            for call in self._loop.turn():
                call()
            if signal.SIGCHLD in self._loop.signals:
                self._reap()
                self._start_ready()  # first of all: what comes next is done while the new processes run
                self._settle_ended()
            if signal.SIGTERM in self._loop.signals:
                self._drain()
            self._loop.timers.run_due(self._loop.now)
            self._start_ready()
            if self._draining and not self.holds_leases():
                if not self._dispatcher.connected and (self._dispatcher.settled or self._hurried):
                    break  # nobody to say goodbye to; what it does not hear of ends with its lease
                if self._dispatcher.settled:
                    self._dispatcher.retire(self._place.workers)
            self._dispatcher.turn()
        self._sweep()
        self._dispatcher.close()
        return STOPPED if self._stopped else DRAINED

    # Crew: what the dispatcher asks and says ------------------------------------------------------

    def wanted(self) -> int:
        """How many jobs could be taken on now."""
        if self._draining or self._no_room:
            return 0
        ahead = AHEAD if self._mean_seconds < SHORT_SECONDS else 0
        return max(0, len(self._free) + ahead - len(self._ready))

    def take(self, leases: Sequence[Lease]) -> None:
        """Jobs that were claimed for us."""
        self._ready.extend(leases)
        if self._draining:
            self._hand_back_ready()

    def states(self, *, changed_only: bool) -> list[WorkerState]:
        """What each worker does, or those that are not yet as the server has it."""
        states = {name: WorkerState(name, "draining" if self._draining else "idle") for name in self._free}
        for running in self._processes.values():
            status = "draining" if self._draining else "busy"
            states[running.worker] = WorkerState(running.worker, status, running.lease.job_id, running.lease.fence)
        if changed_only:
            settled = self._loop.now - VIEW_SECONDS * 0.9
            young = {p.worker for p in self._processes.values() if p.started_at > settled}
            states = {
                name: state
                for name, state in states.items()
                if state != self._shown.get(name) and name not in young
            }
        self._shown.update(states)
        return list(states.values())

    def waiting(self) -> list[Lease]:
        """Claimed jobs that no worker has started."""
        return list(self._ready)

    def has_ahead(self) -> bool:
        """Whether claimed jobs wait for a worker."""
        return bool(self._ready) and not self._draining

    def leases(self) -> list[Lease]:
        """All jobs that are ours, running or waiting."""
        running = (running.lease for running in self._processes.values())
        return [*running, *self._ready, *(ended.lease for ended, _, _ in self._ended)]

    def holds_leases(self) -> bool:
        """Whether there are any."""
        return bool(self._processes or self._ready or self._ended)

    def cancel(self, job_id: str, fence: int) -> None:
        """A person wants this job to end."""
        for lease in [lease for lease in self._ready if (lease.job_id, lease.fence) == (job_id, fence)]:
            self._ready.remove(lease)
            self._dispatcher.report(
                lease, Outcome(HANDED_BACK), self._place.name
            )  # the server knows it is cancelled
        for running in self._with_lease(job_id, fence):
            self._end(running, process.BY_PERSON)

    def lose(self, job_id: str, fence: int) -> None:
        """This lease is another's now."""
        self._ready = deque(lease for lease in self._ready if (lease.job_id, lease.fence) != (job_id, fence))
        for running in self._with_lease(job_id, fence):
            running.kill(process.LEASE_LOST)

    def lose_all(self) -> None:
        """All leases are about to end. Should the server come back before they have, the jobs are handed back."""
        self._hand_back_ready()
        for running in self._processes.values():
            running.kill(process.BY_DRAIN)

    def stop(self) -> None:
        """The stop signal in the server is set."""
        if not self._draining:
            self._drain()
            self._stopped = True
            self._tell_pool(STOPPING)

    def go_on(self) -> None:
        """There is no stop signal: what it has stopped goes on, unless goodbye has been said already."""
        if self._stopped and not self._dispatcher.closing:
            self._stopped = self._draining = False
            self._tell_pool(RESUMED)
            self._dispatcher.look()
            self._dispatcher.beat(changed_only=True)

    def look(self, claim: Claim) -> None:
        """In a burst, the end is where nothing is pending, running or waiting for a retry, anywhere."""
        nothing_here = not self._processes and not self._ready and self._dispatcher.settled
        if not self._options.burst or not nothing_here or claim.pending:
            return
        if claim.next_due is None:
            self._tell_pool(EMPTY)
            self._drain()
        elif not self._look_planned:
            self._look_planned = True
            self._loop.after(BURST_LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._look_planned = False
        self._dispatcher.look()

    def connected(self) -> None:
        """The server knows us: the pool may say that it is ready."""
        if not self._announced:
            self._announced = True
            self._tell_pool(READY)

    # Jobs -----------------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        if self._ready and self._dispatcher.leases_outlived:
            self._hand_back_ready()
        waits: list[Lease] = []
        while self._ready and self._free and not self._no_room:
            lease = self._ready.popleft()
            variables = self._environments.get(lease.env)
            if variables is None:
                waits.append(lease)
            else:
                self._start(lease, variables)
        self._ready.extendleft(reversed(waits))
        if self._ready and not self._free and not self._ahead_planned:
            self._ahead_planned = True
            self._loop.after(SHORT_SECONDS, partial(self._check_ahead, self._started))
        for lease in waits:
            self._dispatcher.fetch_environment(lease.env)

    def _check_ahead(self, started_then: int) -> None:
        """Jobs claimed ahead go back once all workers are held up: others may be free for them."""
        self._ahead_planned = False
        if self._ready and not self._free and self._started == started_then:
            self._mean_seconds = 1.0
            self._hand_back_ready()

    def know_environment(self, digest: str, variables: Mapping[bytes, bytes]) -> None:
        """The variables that were fetched."""
        self._environments[digest] = self._spawner.environment(variables)
        if len(self._environments) > ENVIRONMENTS:
            self._environments.popitem(last=False)

    def _start(self, lease: Lease, variables: Mapping[bytes, bytes]) -> None:
        worker = self._free.pop()
        try:
            entry = None if lease.limits is NO_LIMITS else self._limiter.prepare(lease)
            pid, output = self._spawner.start(lease, variables, worker, entry)
        except CannotStart as error:
            self._free.append(worker)
            self._write_log(lease, f"queuectl: {error.reason}\n")
            self._report(lease, process.not_started(lease, error), worker)
            return
        except OSError as error:
            self._free.append(worker)
            self._ready.appendleft(lease)
            self._hand_back_ready()  # others may have room for them
            self._pause(error)
            return
        running = JobProcess(lease, worker, pid, output, self._log_of, self._loop.clock())
        self._processes[pid] = running
        self._started += 1
        self._unwatched.append(running)
        if lease.limits is not NO_LIMITS:
            self._limiter.began(running)
        if lease.timeout:
            running.timer = self._loop.after(
                lease.timeout, partial(self._end, running, process.timed_out(lease.timeout))
            )
        if not self._watch_planned:
            self._watch_planned = True
            self._loop.after(WATCH_SECONDS, self._watch_outputs)
        self._plan_view()

    def _watch_outputs(self) -> None:
        """Begin to read the output of jobs that run for a while; most short ones have ended before."""
        self._watch_planned = False
        young: list[JobProcess] = []
        for running in self._unwatched:
            if running.started_at > self._loop.now - WATCH_SECONDS:
                young.append(running)
            elif running.output is not None:
                running.watched = True
                self._loop.watch(running.output, partial(self._readable, running))
        self._unwatched = young
        if young:
            self._watch_planned = True
            self._loop.after(WATCH_SECONDS, self._watch_outputs)

    def _readable(self, running: JobProcess) -> None:
        if running.output is not None and not running.read_output():
            self._loop.forget(running.output)
            running.close_output()
        if running.overflow is not None:
            self._end(running, running.overflow)

    def _reap(self) -> None:
        while True:
            try:
                # Look first: while the leader is a zombie, its group's id can't be given to anyone else.
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            running = self._processes.pop(ended.si_pid, None)
            if running is not None:
                running.signal_group(signal.SIGKILL)
            try:
                _, status = os.waitpid(ended.si_pid, 0)
            except ChildProcessError:
                continue  # the thread that connects has started a server, and was faster with its own child
            if running is not None:
                if running.watched and running.output is not None:
                    self._loop.forget(running.output)
                    running.watched = False
                self._free.append(running.worker)
                self._ended.append((running, status, self._loop.now))

    def _settle_ended(self) -> None:
        ended, self._ended = self._ended, []
        for running, status, at in ended:
            if running.timer is not None:
                running.timer.cancel()
            running.finish()
            if running.lease.limits is not NO_LIMITS:
                self._limiter.ended(running)
            self._mean_seconds += (at - running.started_at - self._mean_seconds) / 8
            outcome = running.outcome(status, at)
            if outcome is not None:
                if running.log is not None and running.log.error is not None:
                    self._reporter.say_once(f"a log can't be written: {running.log.error}")
                    outcome = outcome._replace(reason=f"{outcome.reason or 'exit code 0'}; its log is not complete")
                self._report(running.lease, outcome, running.worker)
        if ended:
            self._plan_view()
            self._plan_sweep()

    def _report(self, lease: Lease, outcome: Outcome, worker: str) -> None:
        self._dispatcher.report(lease, outcome, worker)
        self._reporter.ended(lease, outcome, worker)

    def _end(self, running: JobProcess, ending: Ending) -> None:
        """SIGTERM now, SIGKILL after the grace period."""
        if running.pid not in self._processes or running.ending is not None:
            return
        running.ask_to_end(ending)
        if running.timer is not None:
            running.timer.cancel()
        running.timer = self._loop.after(self._options.grace_seconds, partial(running.kill, ending))

    def _with_lease(self, job_id: str, fence: int) -> list[JobProcess]:
        return [p for p in self._processes.values() if (p.lease.job_id, p.lease.fence) == (job_id, fence)]

    def _log_of(self, lease: Lease) -> LogWriter:
        return LogWriter(self._home, lease.job_id, lease.attempts + 1, lease.fence)

    def _write_log(self, lease: Lease, text: str) -> None:
        log = self._log_of(lease)
        log.write(text.encode("utf-8", "replace"))
        log.close()

    def _pause(self, error: OSError) -> None:
        self._reporter.say(f"no process could be started ({error.strerror}); trying again in a second")
        self._no_room = True
        self._loop.after(NO_ROOM_SECONDS, self._resume)

    def _resume(self) -> None:
        self._no_room = False
        self._dispatcher.look()

    # What is planned ------------------------------------------------------------------------------

    def _plan_view(self) -> None:
        if not self._view_planned:
            self._view_planned = True
            self._loop.after(VIEW_SECONDS, self._view)

    def _view(self) -> None:
        self._view_planned = False
        self._dispatcher.beat(changed_only=True)
        if any(p.started_at > self._loop.now - VIEW_SECONDS for p in self._processes.values()):
            self._plan_view()

    def _plan_sweep(self, seconds: float = SWEEP_SECONDS) -> None:
        if not self._sweep_planned:
            self._sweep_planned = True
            self._loop.after(seconds, self._sweep)

    def _sweep(self) -> None:
        """End what outlived its job by leaving its group; see `descendants`."""
        self._sweep_planned = False
        if self._dispatcher.connecting:
            self._plan_sweep()  # what starts a server is a child of ours, too
            return
        jobs = {running.lease.job_id.encode() for running in self._processes.values()}
        if descendants.end_adopted(self._processes.__contains__, jobs):
            self._plan_sweep(AGAIN_SECONDS)  # their children come to us next

    # Stopping -------------------------------------------------------------------------------------

    def _hear_pool(self) -> None:
        try:
            message = os.read(self._pool, 64)
        except OSError:
            message = b""  # it was killed before it read what we said
        if not message:
            self._abandon()
        if LOOK in message:
            self._dispatcher.look()
        if DRAIN in message:
            self._drain()
        if QUIT in message:
            self._quit()

    def _drain(self) -> None:
        """Finish what runs, take nothing new. This is for good; `stop` is not."""
        self._stopped = False
        if self._draining:
            return
        self._draining = True
        self._hand_back_ready()
        self._dispatcher.beat(changed_only=True)

    def _quit(self) -> None:
        """End what runs; it goes back to the queue, and nothing is counted."""
        self._hurried = True
        self._drain()
        for running in list(self._processes.values()):
            self._end(running, process.BY_DRAIN)

    def _abandon(self) -> None:
        """The pool was killed. Without it nobody could end our jobs if we were killed too."""
        self._loop.forget(self._pool)
        self._hurried = True
        self._drain()
        for running in self._processes.values():
            running.kill(process.BY_POOL_DEATH)

    def _hand_back_ready(self) -> None:
        # From the last: each goes to the end that is taken next, so the order stays.
        while self._ready:
            self._dispatcher.report(self._ready.pop(), Outcome(HANDED_BACK), self._place.name)

    def _tell_pool(self, message: bytes) -> None:
        try:
            os.write(self._pool, message)
        except OSError:
            pass  # it is gone; we shall hear of it
