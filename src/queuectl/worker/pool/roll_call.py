"""Notices runners that do not answer: frozen by SIGSTOP or a debugger, or stuck in the kernel."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from queuectl.worker.phase import Phases
from queuectl.worker.pool.member import Member
from queuectl.worker.pool.members import Members
from queuectl.worker.pool.phase import Phase
from queuectl.worker.report import Reporter

ASK_SECONDS = 5.0
"""Pause between two questions."""

QUICK_SECONDS = 0.5
"""The same while the pool quits."""

SILENT_SECONDS = 10.0
"""A runner that has not answered for so long is silent. It answers at once if it can."""

LEAST_SECONDS = 3.0
"""A pool that must stop waits at least this long for an answer, however short its grace time is."""


class RollCall:
    """Asks all runners now and then; kills those that don't answer once the pool quits. Part of a pool, `Timed`.

    ``noticed`` is called when a runner has fallen silent.
    """

    def __init__(
        self, members: Members, phases: Phases[Phase], grace_seconds: float, noticed: Callable[[], None]
    ) -> None:
        self.due = math.inf
        self._members = members
        self._phases = phases
        self._grace_seconds = max(grace_seconds, LEAST_SECONDS)
        self._noticed = noticed
        self._last = 0.0

    def start(self) -> None:
        """Start asking."""
        self._last = time.monotonic()
        self.due = self._last + ASK_SECONDS

    def stop(self) -> None:
        """Do nothing: nobody is left to ask."""

    def hurry(self) -> None:
        """Ask all now: the pool quits."""
        for member in self._members.running():
            member.ask(time.monotonic(), anew=True)
        self.due = time.monotonic() + self._grace_seconds

    def turn(self) -> None:
        """Check the answers and ask again, if it is time."""
        now = time.monotonic()
        if now < self.due:
            return
        was_stalled, self._last = now - self._last > 2 * ASK_SECONDS, now
        quitting = self._phases.now is Phase.QUITTING
        for member in list(self._members.running()):
            if not was_stalled:  # else we were frozen too, and have not read the answers
                self._check(member, now, quitting=quitting)
            member.ask(now, anew=was_stalled)
        self.due = now + (QUICK_SECONDS if quitting else ASK_SECONDS)

    def _check(self, member: Member, now: float, *, quitting: bool) -> None:
        silence = 0.0 if member.asked_at is None else now - member.asked_at
        if quitting and silence >= self._grace_seconds:
            Reporter.say(f"runner {member.place.name} does not answer; killing it")
            member.kill()
        elif silence >= SILENT_SECONDS and not member.is_silent:
            member.is_silent = True
            Reporter.say(
                f"runner {member.place.name} (pid {member.pid}) does not answer: is it frozen? Its jobs go to"
                " others when their leases end; a second signal to this pool kills it"
            )
            self._noticed()
        elif silence == 0.0 and member.is_silent:
            member.is_silent = False
            Reporter.say(f"runner {member.place.name} answers again")
