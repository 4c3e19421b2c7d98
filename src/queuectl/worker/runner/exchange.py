"""A runner's claims and results.

One exchange is pending at a time. It carries all results that have come in since the last one, together with a
claim for the free workers (group commit). Batches are small when there is little to do and grow under load, so that
they share a sync of the server's disk.
"""

from __future__ import annotations

from functools import partial

from queuectl.model import cause
from queuectl.model.outcome import DEAD, Outcome
from queuectl.storage.calls import leases as calls
from queuectl.storage.calls.leases import Claim
from queuectl.storage.replies import newer_schema
from queuectl.storage.scripts import JOBS, Call
from queuectl.worker.loop import Loop
from queuectl.worker.report import Reporter
from queuectl.worker.runner.connections import Connections, Connector
from queuectl.worker.runner.events import Events
from queuectl.worker.runner.jobs import Jobs
from queuectl.worker.runner.lease_time import LeaseTime
from queuectl.worker.runner.membership import Membership
from queuectl.worker.runner.results import Results
from queuectl.worker.timers import Timer

GATHER = 8
GATHER_SECONDS = 0.005
"""While jobs claimed ahead wait, we gather this many results, or for this long, before sending them."""

BATCH = 128
"""The most results in one exchange."""


class Exchange:
    """Sends results and claims jobs. Call `turn` after each turn of the loop."""

    def __init__(
        self,
        runner: str,
        loop: Loop,
        connector: Connector,
        membership: Membership,
        jobs: Jobs,
        results: Results,
        lease_time: LeaseTime,
        events: Events,
    ) -> None:
        self._runner = runner
        self._loop = loop
        self._connector = connector
        self._membership = membership
        self._jobs = jobs
        self._results = results
        self._lease_time = lease_time
        self._events = events
        self.since: float | None = None
        """When the pending exchange was sent, by the loop's clock."""
        self._unanswered = 0
        self._gather_until = 0.0
        self._held_leases = False
        self._should_claim = True
        self._newer = ""
        self._due: Timer | None = None
        connector.tell(self)

    def gained(self, connections: Connections) -> None:
        """Claim: we don't know what was enqueued while we were away."""
        self._should_claim = True

    def lost(self, *, wrong_server: bool) -> None:
        """Forget the pending exchange; it starts again after reconnecting."""
        self._results.not_acknowledged()
        self._unanswered = 0
        self.since = None

    def turn(self) -> bool:
        """Send what is due. Returns whether a free worker found no job to claim."""
        connections = self._connector.connections
        if connections is None or self.since is not None or not self._membership.may_claim:
            return False
        want = min(self._jobs.wanted(), JOBS)
        if self._results.unsent or (self._should_claim and want > 0):
            if not self._can_wait(want):
                self._send(connections, want)
            return False
        return want > 0

    def claim_again(self) -> None:
        """Claim as soon as a worker is free, whatever the last claim said."""
        self._should_claim = True

    def prompt_claim(self) -> None:
        """Something can be claimed: by us, or by others if none of our workers is free.

        For those others, claim zero jobs: that promotes due jobs, and leaves a wake token if there is work.
        """
        self._should_claim = True
        connections = self._connector.connections
        if connections is not None and not self._membership.is_leaving and self._jobs.wanted() == 0:
            connections.work.call(self._claim(0), lambda claim: self.plan(claim.next_due))

    def plan(self, next_due: float | None) -> None:
        """Claim in ``next_due`` seconds instead of the time planned before; None for never."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if next_due is not None:
            # Rather a little late than early: a claim that comes too soon finds nothing.
            self._due = self._loop.after(next_due + 0.001, self.prompt_claim)

    def _can_wait(self, want: int) -> bool:
        """Whether a few more results may gather first: only if no worker has to wait for a job."""
        if want >= GATHER or len(self._results.unsent) >= GATHER:
            return False
        if not self._jobs.waiting() or self._jobs.draining:
            return False
        if self._gather_until == 0.0:
            self._gather_until = self._loop.now + GATHER_SECONDS
            self._loop.after(GATHER_SECONDS, lambda: None)
        return self._loop.now < self._gather_until

    def _send(self, connections: Connections, want: int) -> None:
        self._gather_until = 0.0
        self._held_leases = bool(self._jobs)
        self.since = self._loop.now
        results = self._results.send(BATCH)
        if results:
            self._unanswered += 1
            connections.work.call(calls.finish(self._runner, results), self._finished)
        if want > 0:
            self._unanswered += 1
            self._should_claim = False  # whatever we hear from now on is news that this claim doesn't cover
            connections.work.call(self._claim(want), partial(self._claimed, want))

    def _claim(self, want: int) -> Call[Claim]:
        connection = self._membership.connection
        return calls.claim(self._runner, self._lease_time.lease_seconds, want, connection)

    def _finished(self, states: list[str]) -> None:
        self._results.acknowledged()
        self._answered()

    def _answered(self) -> None:
        self._unanswered -= 1
        if self._unanswered == 0:
            self.since = None

    def _claimed(self, want: int, claim: Claim) -> None:
        if not self._held_leases and self.since is not None:
            self._lease_time.renewed(self.since)  # we hold no leases but these
        self._answered()
        for invalid in claim.invalid:
            self._results.add(invalid, Outcome(DEAD, None, cause.INVALID, invalid.reason), self._runner)
        self._say_if_newer(claim)
        if claim.stopped:
            self._events.stop_signal(is_set=True)
            return
        if not claim.newer:  # otherwise every heartbeat asks again
            if claim.pending > 0 or len(claim.leases) + len(claim.invalid) == want:
                self._should_claim = True
            self.plan(claim.next_due)
            self._jobs.take(claim.leases)
        self._events.claimed(claim)

    def _say_if_newer(self, claim: Claim) -> None:
        if claim.newer != self._newer:
            self._newer = claim.newer
            Reporter.say(f"{newer_schema(claim.newer)} No job is taken." if claim.newer else "taking jobs again")
