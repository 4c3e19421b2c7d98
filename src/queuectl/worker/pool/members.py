"""A pool's runners: starts them, replaces them when they die, and rests them while the stop signal is set."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from queuectl.host import processors
from queuectl.settings import Settings
from queuectl.worker.attempt import cgroup
from queuectl.worker.options import PoolOptions
from queuectl.worker.phase import Phases
from queuectl.worker.pool.cleanup import Cleanup
from queuectl.worker.pool.guardian import Guardian
from queuectl.worker.pool.member import Member
from queuectl.worker.pool.phase import Phase
from queuectl.worker.pool.record import RecordFile
from queuectl.worker.pool.restarts import Restarts, Share
from queuectl.worker.report import Reporter
from queuectl.worker.runner.messages import CLAIM, DRAIN, DRAINED, EMPTY, READY, REFUSED, STOPPED
from queuectl.worker.runner.runner import Place, Runner
from queuectl.worker.shortage import in_words
from queuectl.worker.tally import COUNTED, Tally

QUICK_DEATH_SECONDS = 5.0
MAX_QUICK_DEATHS = 5
"""After this many in a row the pool gives up: what prevents runners from starting will not go away."""

RESTART_SECONDS = 0.5
"""Pause before we replace a runner that died quickly."""


class Members:
    """Keeps `options.workers` workers up, with one runner per processor. Part of a pool, `Timed`.

    ``ready`` is called once the server knows them all. ``base`` is where control groups for jobs can be created.
    """

    def __init__(
        self,
        settings: Settings,
        options: PoolOptions,
        host: str,
        base: str | None,
        phases: Phases[Phase],
        record: RecordFile,
        guardian: Guardian,
        cleanup: Cleanup,
        ready: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._options = options
        self._host = host
        self._base = base
        self._phases = phases
        self._record = record
        self._guardian = guardian
        self._cleanup = cleanup
        self._ready = ready
        self._running: dict[int, Member] = {}
        self._restarts = Restarts()
        self._expected = 0
        self._announced = 0
        self._quick_deaths = 0
        self.exit_code = 0
        self.totals = [0] * len(COUNTED)
        """The outcomes of the jobs of runners that have exited, as in `Tally.totals`."""

    # A service ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all runners."""
        self._restarts.clear()
        shares = shares_of(self._options.workers)
        self._expected = len(shares)
        for share in shares:
            self._start(share)

    def stop(self) -> None:
        """Do nothing: a pool stops after all its runners have exited."""

    @property
    def due(self) -> float:
        """When to start the next runner."""
        return self._restarts.due

    def turn(self) -> None:
        """Start the runners that are due."""
        for share in self._restarts.take_due():
            if self._is_stopped():
                self._restarts.rest(share)
            elif self._phases.now is Phase.WORKING:
                self._start(share)

    # Called by the pool -----------------------------------------------------------------------------

    def __bool__(self) -> bool:
        """Whether any runner runs or will be started."""
        return bool(self._running or self._restarts)

    def __contains__(self, pid: int) -> bool:
        return pid in self._running

    def running(self) -> Collection[Member]:
        """Return the running ones."""
        return self._running.values()

    def silent(self) -> list[Place]:
        """Return those that do not answer."""
        return [member.place for member in self._running.values() if member.is_silent]

    @property
    def any_at_rest(self) -> bool:
        """Whether the stop signal stopped any runner that could be started again."""
        return self._restarts.any_at_rest

    def tell(self, message: bytes) -> None:
        """Send a message to all."""
        for member in self._running.values():
            member.tell(message)

    def let_go(self) -> None:
        """Close all sockets in a child: runners must notice the pool's death even while its other children live."""
        for member in self._running.values():
            member.close()

    def hear(self, member: Member) -> None:
        """Handle what one runner has said."""
        was_stopping = member.stopping
        said = member.hear()
        if READY in said:
            self._quick_deaths = 0  # runners can start: if one dies now, a job kills it, and jobs count crashes
            self._announced += 1
            if self._announced == self._expected:
                self._ready()
        if was_stopping and not member.stopping:
            self._restarts.wake_up(0.0)
        if EMPTY in said:
            self.tell(CLAIM)

    def ended(self, pid: int, code: int) -> bool:
        """Handle a pool child's exit, with its exit code or minus a signal. Returns whether it was a runner."""
        member = self._running.pop(pid, None)
        if member is None:
            return False
        member.close()
        cgroup.end_groups_of([member.place.name], self._base)
        self.totals = [sum(pair) for pair in zip(self.totals, member.place.tally.totals(), strict=True)]
        if code == REFUSED:
            self._fail()
        elif code != DRAINED or not (self._phases.now is not Phase.WORKING or self._options.burst):
            self._clean_up(member, code)
            self._replace(member, code)
        return True

    # After a runner exits ---------------------------------------------------------------------------

    def _clean_up(self, member: Member, code: int) -> None:
        if code in (DRAINED, STOPPED):
            self._guardian.forget(member.place.name)
        else:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            Reporter.say(f"runner {member.place.name} died ({how}); its jobs go back to the queue")
            self._cleanup.add(member.place.name, member.place.workers)
            self._quick_deaths = self._quick_deaths + 1 if member.age_seconds < QUICK_DEATH_SECONDS else 0
        self._cleanup.run()

    def _replace(self, member: Member, code: int) -> None:
        if self._quick_deaths >= MAX_QUICK_DEATHS:
            if self._fail():
                Reporter.say("runners die as soon as they are started; giving up")
        elif code == STOPPED or member.stopping:
            self._restarts.rest(member.share)
            if not self._is_stopped():
                # Other runners work: they have resumed, or have yet to hear of the stop, as the next one will.
                self._restarts.wake_up(RESTART_SECONDS)
        elif self._phases.now is Phase.WORKING:
            quick = member.age_seconds < QUICK_DEATH_SECONDS
            self._restarts.plan(member.share, RESTART_SECONDS if quick else 0.0)

    def _fail(self) -> bool:
        self.exit_code = 1
        self._restarts.give_up()
        return self._phases.enter(Phase.FAILED)

    def _is_stopped(self) -> bool:
        """Whether the stop signal is in force, as far as our runners know."""
        stopping = all(member.stopping for member in self._running.values())
        return stopping and bool(self._running or self._restarts.any_at_rest)

    # Starting -------------------------------------------------------------------------------------

    def _start(self, share: Share) -> None:
        name = f"{self._host}-{os.urandom(3).hex()}"
        self._record.add_runner(name)
        self._guardian.watch(name)
        self._cleanup.close_connection()
        try:
            member = self._fork(name, share)
        except OSError as error:
            Reporter.say(f"no runner could be started ({in_words(error)}); trying again in a moment")
            self._guardian.forget(name)
            self._restarts.plan(share, RESTART_SECONDS)
            return
        self._running[member.pid] = member
        if self._phases.now in (Phase.DRAINING, Phase.QUITTING):
            member.tell(DRAIN)

    def _fork(self, name: str, share: Share) -> Member:
        workers = [f"{name}-{number}" for number in share]
        place = Place(name, workers, self._host, os.getpid(), self._base, Tally())

        def run(pool_socket: int) -> int:
            self.let_go()
            return Runner(place, self._options, self._settings, pool_socket).run()

        return Member(place, share, run)


def shares_of(workers: int) -> list[Share]:
    """Divide the workers' numbers among runners: one runner per processor, if there are enough workers."""
    runners = min(workers, processors())
    least, extra = divmod(workers, runners)
    sizes = [least + (number < extra) for number in range(runners)]
    return [[str(number + 1) for number in range(size)] for size in sizes]
