"""One process of a pool: its workers, each running one job at a time, around one event loop."""

from __future__ import annotations

import os
import signal
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from queuectl.model.job import Lease
from queuectl.model.outcome import HANDED_BACK, Outcome
from queuectl.settings import Settings
from queuectl.storage.calls import Claim, WorkerState
from queuectl.worker.attempt import descendants, process
from queuectl.worker.attempt.attempts import Attempts
from queuectl.worker.attempt.sweeper import Sweeper
from queuectl.worker.loop import Loop, Once
from queuectl.worker.options import PoolOptions
from queuectl.worker.report import Reporter
from queuectl.worker.runner.dispatcher import Dispatcher

AHEAD = 16
"""Jobs that are claimed beyond the free workers while jobs prove to be short."""

SHORT_SECONDS = 0.05
"""Jobs that take less, on average, are claimed ahead. Longer ones are not: another pool could starve."""

VIEW_SECONDS = 0.1
"""A worker's record is brought up to date so long after a change; what is over sooner is never shown."""

BURST_LOOK_SECONDS = 1.0
"""In a burst: between two looks whether the jobs that another pool runs have ended."""

NO_ROOM_SECONDS = 1.0
"""Pause after the system refused to start a process at all."""

ENVIRONMENTS = 256
"""Environments that are remembered."""

# What the pool says to a runner, and a runner to its pool, over the socket between them: one byte each.
DRAIN, QUIT, LOOK = b"d", b"q", b"l"
READY, EMPTY, RESUMED, STOPPING = b"r", b"e", b"o", b"s"

DRAINED, STOPPED, REFUSED = 0, 3, 4
"""Exit codes: by a signal or with nothing left to do; by the stop signal; a burst whose server is too new."""


class Place(NamedTuple):
    """Where a runner belongs: its own name, the names of its workers, its host, and its pool's pid.

    ``base`` is where control groups of its jobs can be made, None if nowhere.
    """

    name: str
    workers: list[str]
    host: str
    pool_pid: int
    base: str | None


class Runner:
    """Runs jobs until it is told to stop. Implements the dispatcher's `Crew`."""

    def __init__(self, place: Place, options: PoolOptions, settings: Settings, pool_socket: int) -> None:
        self._place = place
        self._options = options
        self._pool = pool_socket
        self._loop = Loop([signal.SIGCHLD, signal.SIGTERM])
        self._reporter = Reporter(options.verbose)
        self._attempts = Attempts(
            place.name,
            place.workers,
            settings.home,
            options.grace_seconds,
            self._loop,
            self._report,
            self._reporter,
            place.base,
        )
        self._ready: deque[Lease] = deque()
        self._shown: dict[str, WorkerState] = {}
        self._environments: OrderedDict[str, Mapping[bytes, bytes]] = OrderedDict()
        self.know_environment("", {})
        self._ahead_planned = False
        self._next_view = Once(self._loop, self._view)
        self._announced = False
        self._no_room = False
        self._draining = False
        self._hurried = False
        self._stopped = False
        self._refused = False
        descendants.become_subreaper()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the pool tells us
        self._loop.watch(pool_socket, self._hear_pool)
        self._dispatcher = Dispatcher(
            place.name, place.host, place.pool_pid, settings, options.lease_seconds, self._loop, self
        )
        self._next_look = Once(self._loop, self._dispatcher.look)
        self._sweeper = Sweeper(self._loop, self._attempts, lambda: self._dispatcher.connecting)

    def run(self) -> int:
        """Work until the end; gives the exit code."""
        while not self._dispatcher.retired:
            for call in self._loop.turn():
                call()
            if signal.SIGCHLD in self._loop.signals:
                self._attempts.reap()
                self._start_ready()  # first of all: what comes next is done while the new processes run
                if self._attempts.settle():
                    self._next_view.plan(VIEW_SECONDS)
                    self._sweeper.plan()
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
        self._sweeper.sweep()
        self._dispatcher.close()
        if self._refused:
            return REFUSED
        return STOPPED if self._stopped else DRAINED

    # Crew: what the dispatcher asks and says ------------------------------------------------------

    def wanted(self) -> int:
        """How many jobs could be taken on now."""
        if self._draining or self._no_room:
            return 0
        ahead = AHEAD if self._attempts.mean_seconds < SHORT_SECONDS else 0
        return max(0, len(self._attempts.free) + ahead - len(self._ready))

    def take(self, leases: Sequence[Lease]) -> None:
        """Jobs that were claimed for us."""
        self._ready.extend(leases)
        if self._draining:
            self._hand_back_ready()

    def states(self, *, changed_only: bool) -> list[WorkerState]:
        """What each worker does, or those that are not yet as the server has it."""
        states = {name: WorkerState(name, "draining" if self._draining else "idle") for name in self._attempts.free}
        for running in self._attempts.running:
            status = "draining" if self._draining else "busy"
            states[running.worker] = WorkerState(running.worker, status, running.lease.job_id, running.lease.fence)
        if changed_only:
            settled = self._loop.now - VIEW_SECONDS * 0.9
            young = {p.worker for p in self._attempts.running if p.started_at > settled}
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
        return [*self._attempts.leases(), *self._ready]

    def holds_leases(self) -> bool:
        """Whether there are any."""
        return bool(self._attempts or self._ready)

    def cancel(self, job_id: str, fence: int) -> None:
        """A person wants this job to end."""
        for lease in [lease for lease in self._ready if (lease.job_id, lease.fence) == (job_id, fence)]:
            self._ready.remove(lease)
            self._dispatcher.report(
                lease, Outcome(HANDED_BACK), self._place.name
            )  # the server knows it is cancelled
        for running in self._attempts.with_lease(job_id, fence):
            self._attempts.end(running, process.BY_PERSON)

    def lose(self, job_id: str, fence: int) -> None:
        """This lease is another's now."""
        self._ready = deque(lease for lease in self._ready if (lease.job_id, lease.fence) != (job_id, fence))
        for running in self._attempts.with_lease(job_id, fence):
            running.kill(process.LEASE_LOST)

    def lose_all(self) -> None:
        """All leases are about to end. Should the server come back before they have, the jobs are handed back."""
        self._hand_back_ready()
        for running in self._attempts.running:
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
        nothing_here = not self._attempts and not self._ready and self._dispatcher.settled
        if not self._options.burst or not nothing_here or (claim.pending and not claim.newer):
            return
        if claim.newer:
            self._refused = True
            self._drain()
        elif claim.next_due is None:
            self._tell_pool(EMPTY)
            self._drain()
        else:
            self._next_look.plan(BURST_LOOK_SECONDS)

    def connected(self) -> None:
        """The server knows us: the pool may say that it is ready."""
        if not self._announced:
            self._announced = True
            self._tell_pool(READY)

    # Jobs -----------------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        waits: list[Lease] = []
        while self._ready:
            if self._dispatcher.leases_outlived:
                self._hand_back_ready()
                break
            if self._no_room or not self._attempts.free:
                break
            lease = self._ready.popleft()
            variables = self._environments.get(lease.job.env)
            if variables is None:
                waits.append(lease)
            else:
                self._start(lease, variables)
        self._ready.extendleft(reversed(waits))
        if self._ready and not self._attempts.free and not self._ahead_planned:
            self._ahead_planned = True
            self._loop.after(SHORT_SECONDS, partial(self._check_ahead, self._attempts.started))
        for lease in waits:
            self._dispatcher.fetch_environment(lease.job.env)

    def _check_ahead(self, started_then: int) -> None:
        """Jobs claimed ahead go back once all workers are held up: others may be free for them."""
        self._ahead_planned = False
        if self._ready and not self._attempts.free and self._attempts.started == started_then:
            self._attempts.expect_long()
            self._hand_back_ready()

    def know_environment(self, digest: str, variables: Mapping[bytes, bytes]) -> None:
        """The variables that were fetched."""
        self._environments[digest] = self._attempts.environment(variables)
        if len(self._environments) > ENVIRONMENTS:
            self._environments.popitem(last=False)

    def _start(self, lease: Lease, variables: Mapping[bytes, bytes]) -> None:
        try:
            self._attempts.start(lease, variables)
        except OSError as error:
            self._ready.appendleft(lease)
            self._hand_back_ready()  # others may have room for them
            self._pause(error)
            return
        self._next_view.plan(VIEW_SECONDS)

    def _report(self, lease: Lease, outcome: Outcome, worker: str) -> None:
        self._dispatcher.report(lease, outcome, worker)
        self._reporter.ended(lease, outcome, worker)

    def _pause(self, error: OSError) -> None:
        self._reporter.say(f"no process could be started ({error.strerror}); trying again in a second")
        self._no_room = True
        self._loop.after(NO_ROOM_SECONDS, self._room_again)

    def _room_again(self) -> None:
        self._no_room = False
        self._dispatcher.look()

    # What is planned ------------------------------------------------------------------------------

    def _view(self) -> None:
        self._dispatcher.beat(changed_only=True)
        if any(p.started_at > self._loop.now - VIEW_SECONDS for p in self._attempts.running):
            self._next_view.plan(VIEW_SECONDS)

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
        for running in list(self._attempts.running):
            self._attempts.end(running, process.BY_DRAIN)

    def _abandon(self) -> None:
        """The pool was killed. Without it nobody could end our jobs if we were killed too."""
        self._loop.forget(self._pool)
        self._hurried = True
        self._drain()
        for running in self._attempts.running:
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
