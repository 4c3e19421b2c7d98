"""A runner's dealings with the server: claims, results, heartbeats, messages.

One exchange is under way at a time, and carries all results that have come in since the last one together
with a claim for the workers that are free (group commit): batches of one when there is little to do, larger
ones under load, so that a sync of the server's disk is shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from queuectl.model import cause
from queuectl.model.job import Lease
from queuectl.model.outcome import DEAD, Outcome
from queuectl.settings import Settings
from queuectl.storage import calls, variables
from queuectl.storage.calls import Claim, Invalid, Pulse, WorkerState
from queuectl.storage.keys import Keys
from queuectl.storage.replies import newer_schema
from queuectl.storage.scripts import CHUNK
from queuectl.worker.loop import Loop
from queuectl.worker.report import Reporter
from queuectl.worker.runner.connections import Lines, Trio
from queuectl.worker.runner.lease_guard import LeaseGuard
from queuectl.worker.timers import Timer

LISTEN_SECONDS = 30
"""How long a line waits for a message before it asks again."""

GATHER = 8
GATHER_SECONDS = 0.005
"""While jobs claimed ahead wait, results gather until there are so many, or the first is so old."""

BATCH = 128
"""Results that one exchange carries at most."""

Result = tuple[Lease | Invalid, Outcome, str]


class Crew(Protocol):
    """Who runs the jobs: the dispatcher's other side."""

    def wanted(self) -> int:
        """How many jobs could be taken on."""

    def take(self, leases: Sequence[Lease]) -> None:
        """Jobs that were claimed."""

    def states(self, *, changed_only: bool) -> list[WorkerState]:
        """What each worker does."""

    def waiting(self) -> list[Lease]:
        """Claimed jobs that no worker has started."""

    def has_ahead(self) -> bool:
        """Whether claimed jobs wait for a worker."""

    def leases(self) -> list[Lease]:
        """All jobs that are ours, running or waiting."""

    def holds_leases(self) -> bool:
        """Whether there are any."""

    def know_environment(self, digest: str, variables: Mapping[bytes, bytes]) -> None:
        """The variables that were fetched."""

    def cancel(self, job_id: str, fence: int) -> None:
        """A person wants this job to end."""

    def lose(self, job_id: str, fence: int) -> None:
        """This lease is another's now."""

    def lose_all(self) -> None:
        """The leases can't be renewed and are about to end."""

    def stop(self) -> None:
        """The stop signal was given."""

    def go_on(self) -> None:
        """There is no stop signal, or no longer."""

    def look(self, claim: Claim) -> None:
        """A claim came back; what it says about the whole queue."""

    def connected(self) -> None:
        """The server knows of this runner."""


class Dispatcher:
    """Owns the lines to the server. Call `turn` after each turn of the loop."""

    def __init__(
        self,
        runner: str,
        host: str,
        pid: int,
        settings: Settings,
        lease_seconds: float,
        loop: Loop,
        crew: Crew,
    ) -> None:
        self._runner = runner
        self._host = host
        self._pid = pid
        self._lease_seconds = lease_seconds
        self._loop = loop
        self._crew = crew
        self._keys = Keys(settings.namespace)
        self._results: list[Result] = []
        self._sent: list[Result] = []
        self._parts = 0
        self._gather_until = 0.0
        self._exchange_since: float | None = None
        self._pulse_since: float | None = None
        self._hungry = True
        self._listening = False
        self._fetching: set[str] = set()
        self._due: Timer | None = None
        self._closing = False
        self._connected_before = False
        self._disowning = False
        self._held_leases = False
        self._beat_is_late = False
        self._newer = self._origin = ""
        self.retired = False
        self._lines = Lines(settings, loop, self._gained, self._lost)
        self._guard = LeaseGuard(lease_seconds, loop, self, crew.holds_leases, crew.lose_all)
        loop.after(lease_seconds / 3, self._heartbeat_timer)

    # What the crew says ---------------------------------------------------------------------------

    def report(self, lease: Lease | Invalid, outcome: Outcome, worker: str) -> None:
        """A job ended; it goes with the next exchange."""
        self._results.append((lease, outcome, worker))

    @property
    def settled(self) -> bool:
        """Whether the server has acknowledged all results."""
        return not self._results and not self._sent

    def look(self) -> None:
        """Claim again, whatever the last claim said."""
        self._hungry = True

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._lines.trio is not None

    @property
    def connecting(self) -> bool:
        """Whether a connection is being made, perhaps a server started."""
        return self._lines.connecting

    def beat(self, *, changed_only: bool = False) -> bool:
        """Tell the server what the workers do; with all of them, leases are renewed too.

        Gives False if that was not possible: no connection, or the last one is not answered yet.
        """
        trio = self._lines.trio
        if trio is None or self._closing or (self._pulse_since is not None and not changed_only):
            return False
        states = self._crew.states(changed_only=changed_only)
        if changed_only and not states:
            return True
        waiting = [] if changed_only else self._crew.waiting()
        if not changed_only:
            self._pulse_since = self._loop.now
        # In chunks, and only the last one renews what waits and proves that all of it was done.
        for start in range(0, max(1, len(states)), CHUNK):
            last = start + CHUNK >= len(states)
            call = calls.heartbeat(
                self._runner,
                self._host,
                self._pid,
                lease_seconds=self._lease_seconds,
                life_seconds=max(2, round(self._lease_seconds * 2)),
                workers=states[start : start + CHUNK],
                waiting=waiting if last else (),
            )
            trio.work.call(call, partial(self._beaten, last and not changed_only))
        return True

    @property
    def leases_outlived(self) -> bool:
        """Whether claimed jobs may be another's by now, so that none of them may be started."""
        return self._guard.outlived

    def fetch_environment(self, digest: str) -> None:
        """Get the variables that go with a job, unless that is under way."""
        if self._lines.trio is not None and digest not in self._fetching:
            self._fetching.add(digest)
            command = ("HGET", self._keys.environment(digest), "variables")
            self._lines.trio.work.command(command, partial(self._fetched, digest))

    def _fetched(self, digest: str, packed: bytes | None) -> None:
        self._fetching.discard(digest)
        self._crew.know_environment(digest, variables.unpack(packed or b""))

    @property
    def closing(self) -> bool:
        """Whether goodbye has been said."""
        return self._closing

    def retire(self, workers: Sequence[str]) -> None:
        """Say goodbye; `retired` tells when the server has heard it. Only once `settled`."""
        if not self._closing and self._lines.trio is not None:
            self._closing = True
            self._lines.trio.work.call(calls.retire(self._runner, workers), self._gone)

    def close(self) -> None:
        """Hang up."""
        self._lines.close()

    # The loop's turn ------------------------------------------------------------------------------

    def turn(self) -> None:
        """Send what there is to send."""
        trio = self._lines.trio
        if trio is not None and not self._closing and not self._disowning and self._exchange_since is None:
            want = min(self._crew.wanted(), CHUNK)
            if self._results or (self._hungry and want > 0):
                if not self._can_wait(want):
                    self._exchange(trio, want)
            elif want > 0 and not self._listening:
                self._listening = True
                trio.bell.command(("BLPOP", self._keys.wake, LISTEN_SECONDS), self._rung)
        self._lines.turn()

    def _can_wait(self, want: int) -> bool:
        """Whether a few more results may gather first: only while no worker would have to wait for a job."""
        if want >= GATHER or len(self._results) >= GATHER or not self._crew.has_ahead():
            return False
        if self._gather_until == 0.0:
            self._gather_until = self._loop.now + GATHER_SECONDS
            self._loop.after(GATHER_SECONDS, lambda: None)
        return self._loop.now < self._gather_until

    def _exchange(self, trio: Trio, want: int) -> None:
        self._gather_until = 0.0
        self._held_leases = self._crew.holds_leases()
        self._exchange_since = self._loop.now
        self._sent, self._results = self._results[:BATCH], self._results[BATCH:]
        if self._sent:
            self._parts += 1
            trio.work.call(calls.finish(self._sent), self._finished)
        if want > 0:
            self._parts += 1
            self._hungry = False  # what is heard from now on is news, and not answered by this claim
            claim = calls.claim(self._runner, self._lease_seconds, want)
            trio.work.call(claim, partial(self._claimed, want))

    def _finished(self, states: list[str]) -> None:
        self._sent = []
        self._part_done()

    def _part_done(self) -> None:
        self._parts -= 1
        if self._parts == 0:
            self._exchange_since = None

    def _claimed(self, want: int, claim: Claim) -> None:
        if not self._held_leases and self._exchange_since is not None:
            self._guard.renewed(self._exchange_since)  # these leases are all that we hold
        self._part_done()
        for invalid in claim.invalid:
            self.report(invalid, Outcome(DEAD, None, cause.INVALID, invalid.reason), self._runner)
        if claim.newer != self._newer:
            self._newer = claim.newer
            Reporter.say(f"{newer_schema(claim.newer)} No job is taken." if claim.newer else "taking jobs again")
        if claim.newer:
            self._crew.look(claim)
            return  # asked again with every heartbeat
        if claim.stopped:
            self._crew.stop()
            return
        if claim.pending > 0 or len(claim.leases) + len(claim.invalid) == want:
            self._hungry = True
        self._plan(claim.next_due)
        self._crew.take(claim.leases)
        self._crew.look(claim)

    def _plan(self, next_due: float | None) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if next_due is not None:
            # A little late rather than early: a claim that comes too soon finds nothing.
            self._due = self._loop.after(next_due + 0.001, self._on_due)

    def _on_due(self) -> None:
        self._hungry = True
        if self._crew.wanted() == 0:
            self._stir()

    def _stir(self) -> None:
        """A claim of none: it promotes what is due, and leaves a token for others if there is work."""
        if self._lines.trio is not None and not self._closing:
            claim = calls.claim(self._runner, self._lease_seconds, 0)
            self._lines.trio.work.call(claim, lambda claim: self._plan(claim.next_due))

    # Heartbeat and lease --------------------------------------------------------------------------

    def waits_since(self) -> float | None:
        """Since when an answer of the server is due."""
        return min(
            (since for since in (self._exchange_since, self._pulse_since) if since is not None), default=None
        )

    def give_up_connection(self) -> None:
        """Take the server for gone."""
        self._lines.drop("The server does not answer.")

    def _heartbeat_timer(self) -> None:
        self._beat_is_late = not self.beat()
        # Without a lease to renew it is enough to be known as alive.
        rest = self._lease_seconds / 3 if self._crew.holds_leases() else self._lease_seconds * 2 / 3
        self._loop.after(rest, self._heartbeat_timer)

    def _beaten(self, whole: bool, pulse: Pulse) -> None:
        self._lines.proven()
        if whole and self._pulse_since is not None:
            # A claim that is still under way may be older than this heartbeat.
            self._guard.renewed(min(self._pulse_since, self._exchange_since or self._pulse_since))
            self._pulse_since = None
            self._plan(pulse.next_due)
            self._recognise(pulse.origin)
            if self._beat_is_late:  # on a slow line the answer took longer than the time between two
                self._beat_is_late = not self.beat()
        for job_id, fence in pulse.cancelled:
            self._crew.cancel(job_id, fence)
        for job_id, fence in pulse.lost:
            self._crew.lose(job_id, fence)
        if pulse.stopped:
            self._crew.stop()
        else:
            self._crew.go_on()
            self._hungry = self._hungry or pulse.pending > 0
        self._crew.connected()

    def _recognise(self, origin: str) -> None:
        """Say that all is gone: whoever emptied the server should hear of it, and whoever waits for a job, too."""
        if self._origin and origin != self._origin:
            Reporter.say(
                "the queue's data has vanished from the server (was it emptied with FLUSHALL?):"
                " the jobs that were in it are lost; new ones are run as before"
            )
        self._origin = origin

    # Messages -------------------------------------------------------------------------------------

    def _rung(self, token: Any) -> None:
        self._listening = False
        if token is not None:
            self._hungry = True
            if self._crew.wanted() == 0:
                self._stir()  # the token was taken for nothing

    def _listen_for_messages(self, trio: Trio) -> None:
        command = ("BLPOP", self._keys.control(self._runner), LISTEN_SECONDS)
        trio.control.command(command, partial(self._told, trio))

    def _told(self, trio: Trio, message: Any) -> None:
        self._listen_for_messages(trio)
        if message is None:
            return
        match message[1].split():  # whatever else somebody sends is passed over
            case [b"stop"]:
                self._crew.stop()
            case [b"resume"]:
                self._crew.go_on()
            case [b"cancel", job_id, fence] if fence.isdigit() and len(fence) < 20:
                self._crew.cancel(job_id.decode("utf-8", "replace"), int(fence))

    # Connection -----------------------------------------------------------------------------------

    def _gained(self, trio: Trio) -> None:
        if self._connected_before:
            self._disowning = True  # no claim before it is done: it would be given back as unknown
            known = [*self._crew.leases(), *(lease for lease, _, _ in self._results)]
            trio.work.call(calls.disown(self._runner, known), self._disowned)
        self._connected_before = True
        self._hungry = True
        self._listen_for_messages(trio)
        self.beat()

    def _disowned(self, _: int) -> None:
        """The server has taken back what it gave us in an answer that we never got."""
        self._disowning = False

    def _lost(self, strayed: bool) -> None:
        if strayed:
            self._origin = ""  # the next server is another one, and has its own jobs
        # What was not acknowledged is sent again; the fence makes a result that did arrive harmless.
        self._results = self._sent + self._results
        self._sent = []
        self._parts = 0
        self._exchange_since = self._pulse_since = None
        self._listening = self._closing = self._disowning = False
        self._fetching.clear()

    def _gone(self, _: int) -> None:
        self.retired = True
