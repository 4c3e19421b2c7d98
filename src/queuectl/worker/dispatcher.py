"""A runner's dealings with the server: claims, results, heartbeats, messages.

One exchange is under way at a time, and carries all results that have come in since the last one together
with a claim for the workers that are free (group commit): batches of one when there is little to do, larger
ones under load, so that a sync of the server's disk is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from queuectl.errors import QueuectlError
from queuectl.model.job import DEAD, Outcome
from queuectl.settings import Settings
from queuectl.storage import calls
from queuectl.storage.calls import Claim, Pulse, Spoiled, WorkerState
from queuectl.storage.codec import Lease
from queuectl.storage.encoding import unpack_variables
from queuectl.storage.keys import Keys
from queuectl.storage.link import Link
from queuectl.storage.scripts import CHUNK
from queuectl.worker.lines import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Connector, Lines
from queuectl.worker.loop import Loop
from queuectl.worker.report import Reporter
from queuectl.worker.timers import Timer

LISTEN_SECONDS = 30
"""How long a line waits for a message before it asks again: a lost connection is noticed in that time."""

ANSWER_SECONDS = 10.0
"""A server that has not answered for so long is taken for gone."""

BATCH = 128
"""Results that one exchange carries at most."""

Result = tuple[Lease | Spoiled, Outcome, str]


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

    def running(self) -> int:
        """How many jobs run."""

    def know_environment(self, digest: str, variables: Mapping[bytes, bytes]) -> None:
        """The variables that were fetched."""

    def cancel(self, job_id: str, fence: int | None) -> None:
        """A person wants this job to end."""

    def lose(self, job_ids: Sequence[str]) -> None:
        """These leases are another's now."""

    def lose_all(self) -> None:
        """The leases can't be renewed and are about to end."""

    def stop(self) -> None:
        """The stop signal was given."""

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
        self._connector = Connector(settings, loop.wake_up)
        self._lines: Lines | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._results: list[Result] = []
        self._sent: list[Result] = []
        self._exchange_since: float | None = None
        self._pulse_since: float | None = None
        self._safe_until = loop.now + lease_seconds
        self._hungry = True
        self._parts = 0
        self._listening = False
        self._fetching: set[str] = set()
        self._complaint = ""
        self._descriptors: dict[Link, int] = {}
        self._writing: set[Link] = set()
        self._due: Timer | None = None
        self._closing = False
        self.retired = False
        self._connector.start()
        self._heartbeat_timer()
        loop.after(lease_seconds / 2, self._guard)

    # What the crew says ---------------------------------------------------------------------------

    def report(self, lease: Lease | Spoiled, outcome: Outcome, worker: str) -> None:
        """A job ended; it goes with the next exchange."""
        self._results.append((lease, outcome, worker))

    @property
    def settled(self) -> bool:
        """Whether the server has acknowledged all results."""
        return not self._results and not self._sent

    def look(self) -> None:
        """Claim again, whatever the last claim said."""
        self._hungry = True

    def beat(self, *, changed_only: bool = False) -> None:
        """Tell the server what the workers do; with all of them, leases are renewed too."""
        if self._lines is None or self._closing:
            return
        states = self._crew.states(changed_only=changed_only)
        if changed_only and not states:
            return
        waiting = [] if changed_only else self._crew.waiting()
        if not changed_only and self._pulse_since is None:
            self._pulse_since = self._loop.now
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
            self._lines.work.call(call, partial(self._beaten, last and not changed_only))

    def fetch_environment(self, digest: str) -> None:
        """Get the variables that go with a job, unless that is under way."""
        if self._lines is None or digest in self._fetching:
            return
        self._fetching.add(digest)
        command = ("HGET", self._keys.environment(digest), "variables")
        self._lines.work.command(command, partial(self._fetched, digest))

    def _fetched(self, digest: str, packed: bytes | None) -> None:
        self._fetching.discard(digest)
        self._crew.know_environment(digest, unpack_variables(packed or b""))

    def retire(self, workers: Sequence[str]) -> None:
        """Say goodbye; `retired` tells when the server has heard it. Only once `settled`."""
        if not self._closing and self._lines is not None:
            self._closing = True
            self._lines.work.call(calls.retire(self._runner, workers), self._gone)

    # The loop's turn ------------------------------------------------------------------------------

    def turn(self) -> None:
        """Send what there is to send."""
        if self._lines is None:
            self._take_lines()
        if self._lines is None:
            return
        want = 0 if self._closing else self._crew.wanted()
        if self._exchange_since is None and (self._results or (self._hungry and want > 0)):
            self._exchange(self._lines, want)
        if self._exchange_since is None and not self._hungry and want > 0 and not self._listening:
            self._listen_for_work(self._lines)
        self._flush(self._lines)

    def _exchange(self, lines: Lines, want: int) -> None:
        self._exchange_since = self._loop.now
        self._sent, self._results = self._results[:BATCH], self._results[BATCH:]
        if self._sent:
            self._parts += 1
            lines.work.call(calls.finish(self._sent), self._finished)
        if want > 0:
            self._hungry = False  # what is heard from now on is news, and not answered by this claim
            claim = calls.claim(self._runner, self._host, self._lease_seconds, want)
            lines.work.call(claim, partial(self._claimed, want))
            self._parts += 1

    def _finished(self, states: list[str]) -> None:
        self._sent = []
        self._part_done()

    def _part_done(self) -> None:
        self._parts -= 1
        if self._parts == 0:
            self._exchange_since = None

    def _claimed(self, want: int, claim: Claim) -> None:
        self._part_done()
        for spoiled in claim.spoiled:
            self.report(spoiled, Outcome(DEAD, None, spoiled.reason), self._runner)
        if claim.stopped:
            self._crew.stop()
            return
        if claim.pending > 0 or len(claim.leases) + len(claim.spoiled) == want:
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
            self._due = self._loop.after(next_due + 0.001, self.look)

    # Heartbeat and lease --------------------------------------------------------------------------

    def _heartbeat_timer(self) -> None:
        self.beat()
        self._loop.after(self._lease_seconds / 3, self._heartbeat_timer)

    def _beaten(self, whole: bool, pulse: Pulse) -> None:
        if whole and self._pulse_since is not None:
            self._safe_until = self._pulse_since + self._lease_seconds
            self._pulse_since = None
        for job_id in pulse.cancelled:
            self._crew.cancel(job_id, None)
        if pulse.lost:
            self._crew.lose(pulse.lost)
        if pulse.stopped:
            self._crew.stop()
        elif pulse.pending:
            self._hungry = True
        self._crew.connected()

    def _guard(self) -> None:
        """End our own jobs before the server can give them to another worker."""
        now, margin = self._loop.now, min(5.0, self._lease_seconds / 6)
        waits_since = [since for since in (self._exchange_since, self._pulse_since) if since is not None]
        if self._lines is not None and waits_since and now - min(waits_since) > ANSWER_SECONDS:
            self._disconnect("it has not answered for 10 seconds")
        if now < self._safe_until - margin:
            self._loop.after(min(self._safe_until - margin - now, ANSWER_SECONDS / 2), self._guard)
            return
        if self._crew.running() == 0 and not self._crew.waiting():
            self._loop.after(self._lease_seconds / 2, self._guard)
            return
        if self._lines is not None and self._pulse_since is None:
            # Not a silent server: it is we who were suspended. It may still hold the leases for us.
            self.beat()
            self._loop.after(margin / 2, self._guard)
            return
        self._crew.lose_all()
        self._loop.after(1.0, self._guard)

    # Messages -------------------------------------------------------------------------------------

    def _listen_for_work(self, lines: Lines) -> None:
        self._listening = True
        lines.bell.command(("BLPOP", self._keys.wake, LISTEN_SECONDS), self._rung)

    def _rung(self, token: Any) -> None:
        self._listening = False
        if token is None:
            return
        self._hungry = True
        if self._crew.wanted() == 0 and self._lines is not None:
            # Taken for nothing. A claim of none puts a new token there, if work remains.
            claim = calls.claim(self._runner, self._host, self._lease_seconds, 0)
            self._lines.work.call(claim, lambda claim: None)

    def _listen_for_messages(self) -> None:
        if self._lines is not None:
            self._lines.control.command(("BLPOP", self._keys.control(self._runner), LISTEN_SECONDS), self._told)

    def _told(self, message: Any) -> None:
        self._listen_for_messages()
        if message is None:
            return
        verb, *words = message[1].decode("utf-8", "replace").split()
        if verb == "stop":
            self._crew.stop()
        elif verb == "cancel" and len(words) == 2 and words[1].isdigit():
            self._crew.cancel(words[0], int(words[1]))

    # Lines ----------------------------------------------------------------------------------------

    def _take_lines(self) -> None:
        result = self._connector.result()
        if result is None:
            return
        if isinstance(result, QueuectlError):
            self._complain(result.message)
            self._loop.after(self._pause, self._connector.start)
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            return
        if self._complaint:
            self._complaint = ""
            Reporter.say("connected to the server again")
        self._lines = result
        self._pause = FIRST_PAUSE_SECONDS
        self._hungry = True
        for link in result.all:
            self._descriptors[link] = link.fileno()
            self._loop.watch(link.fileno(), partial(self._guarded, link, link.receive))
        self._listen_for_messages()
        self.beat()

    def _flush(self, lines: Lines) -> None:
        for link in lines.all:
            self._guarded(link, link.flush)
            writing = link in self._writing
            if self._lines is lines and link.wants_write != writing:
                self._loop.watch_writing(
                    link.fileno(), partial(self._guarded, link, link.receive), writing=not writing
                )
                self._writing ^= {link}

    def _guarded(self, link: Link, act: Callable[[], None]) -> None:
        if self._lines is None or link not in self._lines.all:
            return  # lost in this very turn of the loop
        try:
            act()
        except QueuectlError as error:
            self._disconnect(error.message)

    def _disconnect(self, why: str) -> None:
        if self._lines is None:
            return
        for descriptor in self._descriptors.values():
            self._loop.forget(descriptor)
        self._descriptors.clear()
        self._writing.clear()
        self._fetching.clear()
        self._lines.close()
        self._lines = None
        # What was not acknowledged is sent again; the fence makes a result that did arrive harmless.
        self._results = self._sent + self._results
        self._sent = []
        self._parts = 0
        self._exchange_since = self._pulse_since = None
        self._listening = self._closing = False
        self._complain(why)
        self._connector.start()

    def _complain(self, why: str) -> None:
        """Say it once, not at every try."""
        if why != self._complaint:
            self._complaint = why
            Reporter.say(why)

    def _gone(self, _: int) -> None:
        self.retired = True

    def close(self) -> None:
        """Close the lines."""
        if self._lines is not None:
            self._lines.close()
