"""A runner's heartbeats: they report its workers and what they do, and renew their leases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from queuectl.model.job import Lease
from queuectl.model.worker import BUSY, DRAINING, IDLE, STUCK
from queuectl.storage.calls.leases import Held, note_unkillable
from queuectl.storage.calls.workers import Pulse as Answer
from queuectl.storage.calls.workers import WorkerState, heartbeat
from queuectl.storage.scripts import CHUNK
from queuectl.worker.attempt.attempts import Attempts
from queuectl.worker.loop import Loop, Once
from queuectl.worker.report import Reporter
from queuectl.worker.runner.connections import Connections, Connector
from queuectl.worker.runner.events import Events
from queuectl.worker.runner.exchange import Exchange
from queuectl.worker.runner.jobs import Jobs
from queuectl.worker.runner.lease_time import LeaseTime
from queuectl.worker.runner.membership import Membership
from queuectl.worker.timers import Timer

VIEW_SECONDS = 0.1
"""How long after a change we update a worker's record; the server never sees shorter changes."""


EARLY_SECONDS = 0.1
"""We don't move a planned heartbeat that is at most this late."""


class Sender(NamedTuple):
    """The sender of heartbeats: the runner's name, its host, and its pool's pid."""

    runner: str
    host: str
    pid: int


class Pulse:
    """Beats three times per lease, and whenever told to."""

    def __init__(
        self,
        sender: Sender,
        loop: Loop,
        connector: Connector,
        membership: Membership,
        attempts: Attempts,
        jobs: Jobs,
        exchange: Exchange,
        lease_time: LeaseTime,
        events: Events,
    ) -> None:
        self._sender = sender
        self._loop = loop
        self._connector = connector
        self._membership = membership
        self._attempts = attempts
        self._jobs = jobs
        self._exchange = exchange
        self._lease_time = lease_time
        self._events = events
        self.since: float | None = None
        """When the unanswered heartbeat was sent, by the loop's clock."""
        self._is_late = False
        self._origin = ""
        self._shown: dict[str, WorkerState] = {}
        self._next_view = Once(loop, self._view)
        self._next: Timer | None = None
        self._next_at = 0.0
        connector.tell(self)

    def start(self) -> None:
        """Start beating."""
        self._plan()

    def stop(self) -> None:
        """Stop beating."""
        if self._next is not None:
            self._next.cancel()

    def gained(self, connections: Connections) -> None:
        """Report all workers to the server."""
        self.beat()

    def lost(self, *, wrong_server: bool) -> None:
        """Forget the pending heartbeat: no answer will come. Another server has other jobs."""
        self.since = None
        if wrong_server:
            self._origin = ""

    def beat(self) -> bool:
        """Report to the server what all workers do, and renew all leases.

        Returns False if that is impossible: no connection, or the last heartbeat is still unanswered.
        """
        connections = self._connector.connections
        if connections is None or self._membership.is_leaving or self.since is not None:
            return False
        self.since = self._loop.now
        self._send(connections, self._states(), self._jobs.waiting(), whole=True)
        return True

    def show_changes(self) -> None:
        """Report the workers whose state changed since the last report, unless their job is very young."""
        connections = self._connector.connections
        if connections is None or self._membership.is_leaving:
            return
        settled = self._loop.now - VIEW_SECONDS * 0.9
        young = {running.worker for running in self._attempts.running if running.started_at > settled}
        changed = [
            state for state in self._states() if state.name not in young and state != self._shown.get(state.name)
        ]
        if changed:
            self._send(connections, changed, (), whole=False)

    def show_soon(self) -> None:
        """Report soon: some workers have started something else."""
        self._next_view.plan(VIEW_SECONDS)
        # A heartbeat planned while there was no lease may be too late for leases that a claim has just given.
        lease_seconds = self._lease_time.lease_seconds
        if self._next_at > self._lease_time.safe_until - lease_seconds * 2 / 3 + EARLY_SECONDS:
            self._plan_at(max(self._loop.now, self._lease_time.safe_until - lease_seconds * 2 / 3))

    def _view(self) -> None:
        self.show_changes()
        if any(running.started_at > self._loop.now - VIEW_SECONDS for running in self._attempts.running):
            self._next_view.plan(VIEW_SECONDS)

    def _states(self) -> list[WorkerState]:
        idle, busy = (DRAINING, DRAINING) if self._jobs.draining else (IDLE, BUSY)
        states = [WorkerState(name, idle) for name in self._attempts.free]
        for running in self._attempts.running:
            status = STUCK if running.unkillable else busy
            states.append(WorkerState(running.worker, status, running.lease.job_id, running.lease.fence))
        return states

    def _notes(self) -> list[Held]:
        """What can't be killed. Sent with every beat: the last one may have been lost with its connection."""
        return [
            Held(*(running.lease.job_id, running.lease.fence, running.worker), *running.unkillable)
            for running in self._attempts.running
            if running.unkillable
        ]

    def _send(
        self, connections: Connections, states: list[WorkerState], waiting: Sequence[Lease], *, whole: bool
    ) -> None:
        self._shown.update((state.name, state) for state in states)
        # In chunks. Only the last one renews the waiting leases, and its answer proves that all chunks arrived.
        for start in range(0, max(1, len(states)), CHUNK):
            last = start + CHUNK >= len(states)
            call = heartbeat(
                *self._sender,
                lease_seconds=self._lease_time.lease_seconds,
                life_seconds=max(2, round(self._lease_time.lease_seconds * 2)),
                workers=states[start : start + CHUNK],
                waiting=waiting if last else (),
            )
            connections.work.call(call, partial(self._answered, whole=whole and last))
        if notes := self._notes():
            connections.work.call(note_unkillable(self._sender.runner, notes), lambda _: None)

    def _plan(self) -> None:
        # Without a lease to renew, fewer heartbeats are enough to be known as alive.
        rest = self._lease_time.lease_seconds / 3 * (1 if self._jobs else 2)
        self._plan_at(self._loop.now + rest)

    def _plan_at(self, moment: float) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next_at = moment
        self._next = self._loop.timers.at(moment, self._due)

    def _due(self) -> None:
        self._is_late = not self.beat()
        self._plan()

    def _answered(self, answer: Answer, *, whole: bool) -> None:
        self._connector.proven()
        if whole and self.since is not None:
            # A pending claim may be older than this heartbeat.
            self._lease_time.renewed(min(self.since, self._exchange.since or self.since))
            self.since = None
            self._exchange.plan(answer.next_due)
            self._compare(answer.origin)
            if self._is_late:  # on a slow connection, the answer took longer than the time between two heartbeats
                self._is_late = not self.beat()
        for job_id, fence in answer.cancelled:
            self._jobs.cancel(job_id, fence)
        for job_id, fence in answer.lost:
            self._jobs.lose(job_id, fence)
        self._events.stop_signal(is_set=answer.stopped)
        if answer.pending > 0 and not answer.stopped:
            self._exchange.claim_again()
        self._events.known()

    def _compare(self, origin: str) -> None:
        """Report a vanished queue, to the person who emptied the server and to those who wait for a job."""
        if self._origin and origin != self._origin:
            Reporter.say(
                "the queue's data has vanished from the server (was it emptied with FLUSHALL?):"
                " the jobs that were in it are lost; new ones are run as before"
            )
        self._origin = origin
