"""One process of a pool: one event loop with its workers, each of which runs one job at a time."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from queuectl.model.job import Lease
from queuectl.model.outcome import Outcome
from queuectl.settings import Settings
from queuectl.storage.calls.leases import Claim
from queuectl.storage.keys import Keys
from queuectl.worker.attempt import descendants
from queuectl.worker.attempt.attempts import Attempts
from queuectl.worker.attempt.sweeper import Sweeper
from queuectl.worker.loop import Loop, Once
from queuectl.worker.options import PoolOptions
from queuectl.worker.phase import Phases
from queuectl.worker.report import Reporter
from queuectl.worker.runner.connections import Connector
from queuectl.worker.runner.environments import Environments
from queuectl.worker.runner.exchange import Exchange
from queuectl.worker.runner.jobs import Jobs
from queuectl.worker.runner.keep_alive import KeepAlive
from queuectl.worker.runner.lease_guard import LeaseGuard
from queuectl.worker.runner.lease_time import LeaseTime
from queuectl.worker.runner.mailbox import Mailbox
from queuectl.worker.runner.membership import Membership
from queuectl.worker.runner.messages import ALIVE, CLAIM, DRAIN, EMPTY, PING, QUIT, READY, RESUMED, STOPPING
from queuectl.worker.runner.phase import ALLOWED, EXIT_CODES, Phase
from queuectl.worker.runner.pulse import Pulse, Sender
from queuectl.worker.runner.results import Results
from queuectl.worker.service import Service
from queuectl.worker.shortage import in_words
from queuectl.worker.tally import Tally
from queuectl.worker.title import RUNNER, set_title

BURST_SECONDS = 1.0
"""In a burst: pause between two checks whether another pool's jobs have finished."""

NO_ROOM_SECONDS = 1.0
"""Pause after the system refused to start any process."""


class Place(NamedTuple):
    """A runner's identity: its name, its workers' names, its host, and its pool's pid.

    ``base`` is where control groups for its jobs can be created, None if nowhere. Through ``tally`` its pool counts
    the outcomes of its jobs.
    """

    name: str
    workers: list[str]
    host: str
    pool_pid: int
    base: str | None
    tally: Tally


class Runner:
    """Runs jobs until told to stop. Its parts report what they hear from the server through `Events`."""

    def __init__(self, place: Place, options: PoolOptions, settings: Settings, pool_socket: int) -> None:
        self._place = place
        self._options = options
        self._pool = pool_socket
        self._phases = Phases(Phase.WORKING, ALLOWED)
        self._announced = False
        self._reporter = Reporter(options.verbose)
        keys, name = Keys(settings.namespace), place.name
        loop = self._loop = Loop([signal.SIGCHLD, signal.SIGTERM])
        lease_time = LeaseTime(options.lease_seconds, loop)
        results = self._results = Results()
        attempts = self._attempts = Attempts(
            name,
            place.workers,
            settings.home,
            options.grace_seconds,
            loop,
            self._ended,
            self._reporter,
            place.base,
            self._show_soon,
        )
        # Each part knows only those before it.
        connector = self._connector = Connector(settings, loop)
        environments = Environments(keys, connector, attempts.environment)
        jobs = self._jobs = Jobs(name, attempts, results, environments, lease_time, loop, self._phases)
        membership = self._membership = Membership(name, connector, jobs, results)
        exchange = self._exchange = Exchange(name, loop, connector, membership, jobs, results, lease_time, self)
        self._mailbox = Mailbox(name, keys, connector, jobs, exchange, self)
        pulse = self._pulse = Pulse(
            Sender(name, place.host, place.pool_pid),
            loop,
            connector,
            membership,
            attempts,
            jobs,
            exchange,
            lease_time,
            self,
        )
        guard = LeaseGuard(lease_time, loop, jobs, pulse)
        keep_alive = KeepAlive(loop, connector)
        self._services: list[Service] = [connector, pulse, guard, keep_alive]
        self._sweeper = Sweeper(loop, attempts, lambda: connector.connecting)
        self._next_claim = Once(loop, exchange.claim_again)

    def run(self) -> int:
        """Work until told to stop; return the exit code."""
        set_title(RUNNER)
        descendants.become_subreaper()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the pool tells us
        self._loop.watch(self._pool, self._hear_pool)
        for service in self._services:
            service.start()
        while self._turn():
            pass
        self._sweeper.sweep()
        for service in reversed(self._services):
            service.stop()
        return EXIT_CODES[self._phases.now]

    def _turn(self) -> bool:
        """Do one turn of the loop; return False when there is nothing left to do."""
        for call in self._loop.turn():
            call()
        if signal.SIGCHLD in self._loop.signals:
            self._attempts.reap()
            self._start_waiting()  # first, so that the rest happens while the new processes run
            self._settle()
        if signal.SIGTERM in self._loop.signals:
            self._finish(Phase.DRAINING)
        self._loop.timers.run_due(self._loop.now)
        self._start_waiting()
        self._settle()
        if self._phases.now is not Phase.WORKING and not self._jobs and self._may_exit():
            return False
        if self._exchange.turn():
            self._mailbox.await_work()
        self._connector.turn()
        return True

    def _may_exit(self) -> bool:
        """Without jobs left: whether the server has forgotten us, or needn't be asked to."""
        if self._membership.is_gone:
            return True
        settled = self._results.settled
        if self._connector.connections is None:
            # There is no server to tell. What it does not hear of ends with the lease.
            return settled or self._phases.now is Phase.QUITTING
        if settled:
            self._membership.leave(self._place.workers)
        return False

    # Jobs -----------------------------------------------------------------------------------------

    def _show_soon(self) -> None:
        self._pulse.show_soon()

    def _settle(self) -> None:
        if self._attempts.settle():
            self._pulse.show_soon()
            self._sweeper.plan()

    def _start_waiting(self) -> None:
        try:
            if self._jobs.start_waiting():
                self._pulse.show_soon()
        except OSError as error:
            self._reporter.say(f"no process could be started ({in_words(error)}); trying again in a second")
            self._jobs.take_none_for(NO_ROOM_SECONDS)
            self._loop.after(NO_ROOM_SECONDS, self._exchange.claim_again)

    def _ended(self, lease: Lease, outcome: Outcome, worker: str) -> None:
        self._results.add(lease, outcome, worker)
        self._place.tally.count(outcome.verdict)
        self._reporter.ended(lease, outcome)

    # Events from the server -----------------------------------------------------------------------

    def known(self) -> None:
        """Tell the pool, once, that we are ready."""
        if not self._announced:
            self._announced = True
            self._tell_pool(READY)

    def stop_signal(self, *, is_set: bool) -> None:
        """Finish the running jobs, or resume unless the server was already asked to forget us."""
        if is_set:
            if self._finish(Phase.STOPPING):
                self._tell_pool(STOPPING)
        elif self._phases.now is Phase.STOPPING and not self._membership.is_leaving:
            self._phases.enter(Phase.WORKING)
            self._tell_pool(RESUMED)
            self._exchange.claim_again()
            self._pulse.show_changes()

    def claimed(self, claim: Claim) -> None:
        """End a burst once no job is pending, running or waiting for a retry, on any pool."""
        if not self._options.burst or self._jobs or not self._results.settled:
            return
        if claim.newer:
            self._finish(Phase.REFUSING)
        elif claim.pending:
            return
        elif claim.next_due is None:
            self._tell_pool(EMPTY)
            self._finish(Phase.DRAINING)
        else:
            self._next_claim.plan(BURST_SECONDS)

    # Messages from the pool -----------------------------------------------------------------------

    def _hear_pool(self) -> None:
        try:
            message = os.read(self._pool, 64)
        except OSError:
            message = b""  # the pool was killed before it read our message
        if not message:
            self._abandon()
        if PING in message:
            self._tell_pool(ALIVE)
        if CLAIM in message:
            self._exchange.claim_again()
        if DRAIN in message:
            self._finish(Phase.DRAINING)
            self._attempts.survivors.tell()
        if QUIT in message:
            self._finish(Phase.QUITTING)
            self._jobs.quit()
            self._attempts.survivors.tell()

    def _abandon(self) -> None:
        """The pool was killed. If we were killed too, nobody could stop our jobs."""
        self._loop.forget(self._pool)
        self._finish(Phase.QUITTING)
        self._jobs.abandon()

    def _finish(self, phase: Phase) -> bool:
        """Take no new jobs, and finish the running ones. Returns whether the phase was entered."""
        worked = self._phases.now is Phase.WORKING
        if not self._phases.enter(phase):
            return False
        if worked:
            self._jobs.hand_back()
            self._pulse.show_changes()
        return True

    def _tell_pool(self, message: bytes) -> None:
        try:
            os.write(self._pool, message)
        except OSError:
            pass  # the pool is gone; the loop will notice
