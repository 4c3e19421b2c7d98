"""The state outside the server: what each runner knows, and what people were told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

Lease = tuple[str, int]
"""A job and the fence under which it was claimed."""

Result = tuple[str, int, str, float]
"""Job, fence, verdict, pause before the next attempt."""

UP, CUT_OFF, DEAD, FREED, GONE = "up", "cut off", "dead", "freed", "gone"
"""A runner works; it has lost its connection; it was killed; its leases were freed; it was forgotten."""


class Disown(NamedTuple):
    """A disown that a runner sent: over which connection, and what it knew then."""

    connection: int
    known: tuple[Lease, ...]


class Runner(NamedTuple):
    """One runner.

    ``unheard`` are results that it sent without getting an answer. ``given`` is what its last claim gave, whether
    or not the answer came. ``late`` is a disown that has not arrived yet. ``connection`` counts its connections.
    """

    name: str
    phase: str = UP
    knows: tuple[Lease, ...] = ()
    unheard: tuple[Result, ...] = ()
    given: tuple[Lease, ...] = ()
    late: Disown | None = None
    connection: int = 1

    @property
    def lives(self) -> bool:
        """Whether its process exists."""
        return self.phase in (UP, CUT_OFF)

    @property
    def known(self) -> tuple[Lease, ...]:
        """Return all leases that it knows, including those it has reported on without an answer."""
        return (*self.knows, *((job, fence) for job, fence, _, _ in self.unheard))

    @property
    def disownable(self) -> list[Lease]:
        """Return those leases of its last claim that a disown would take from it."""
        known = self.known if self.late is None else set(self.known).intersection(self.late.known)
        return [lease for lease in self.given if lease not in known]

    @property
    def text(self) -> str:
        """Its name for people."""
        return f"runner {self.name[1:]}"

    def without(self, leases: Iterable[Lease]) -> Runner:
        """Return the same runner without these leases."""
        lost = set(leases)
        return self._replace(knows=tuple(lease for lease in self.knows if lease not in lost))


class Clients(NamedTuple):
    """Everything outside the server. ``promised`` are jobs whose cancellation was acknowledged."""

    runners: tuple[Runner, ...]
    jobs: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    promised: frozenset[str] = frozenset()

    def having(self, runner: Runner) -> Clients:
        """Return the same, with this runner in place of the one with its name."""
        return self._replace(runners=tuple(runner if runner.name == r.name else r for r in self.runners))


def name_of(job: str) -> str:
    """Return a job's name for people."""
    return f"job {int(job[4:], 16)}"
