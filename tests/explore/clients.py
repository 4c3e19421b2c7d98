"""What stands outside the server: what each runner knows, and what people were told."""

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

    ``unheard`` are results that it sent without hearing that they were recorded. ``given`` is what its last claim
    gave, heard of or not. ``late`` is a disown that has not arrived yet. ``connection`` counts its connections.
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
        """Whether its process is there."""
        return self.phase in (UP, CUT_OFF)

    @property
    def known(self) -> tuple[Lease, ...]:
        """All leases that it knows of, with those that it has reported on without an answer."""
        return (*self.knows, *((job, fence) for job, fence, _, _ in self.unheard))

    @property
    def disownable(self) -> list[Lease]:
        """What its last claim gave and a disown would take from it."""
        known = self.known if self.late is None else set(self.known).intersection(self.late.known)
        return [lease for lease in self.given if lease not in known]

    @property
    def text(self) -> str:
        """Its name for people."""
        return f"runner {self.name[1:]}"

    def without(self, leases: Iterable[Lease]) -> Runner:
        """The same runner once it has given these leases up."""
        lost = set(leases)
        return self._replace(knows=tuple(lease for lease in self.knows if lease not in lost))


class Clients(NamedTuple):
    """All that is outside. ``promised`` are jobs whose cancellation was acknowledged."""

    runners: tuple[Runner, ...]
    jobs: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    promised: frozenset[str] = frozenset()

    def having(self, runner: Runner) -> Clients:
        """The same, with this runner in the place of the one of its name."""
        return self._replace(runners=tuple(runner if runner.name == r.name else r for r in self.runners))


def name_of(job: str) -> str:
    """A job for people."""
    return f"job {int(job[4:], 16)}"
