"""A runner's standing with the server: new, known to it, disconnected, or gone."""

from __future__ import annotations

from enum import Enum

from queuectl.storage.calls.leases import disown
from queuectl.storage.calls.workers import retire
from queuectl.worker.phase import Phases
from queuectl.worker.runner.connections import Connections, Connector
from queuectl.worker.runner.jobs import Jobs
from queuectl.worker.runner.results import Results


class Standing(Enum):
    """The phases of a membership."""

    NEW = "new"
    """It was never connected."""
    MEMBER = "member"
    """It claims jobs."""
    AWAY = "away"
    """It has lost its connection."""
    DISOWNING = "disowning"
    """It is back, and gives back the leases in answers that it may have missed."""
    LEAVING = "leaving"
    """It has asked the server to forget it."""
    GONE = "gone"
    """The server has forgotten it."""


ALLOWED = {
    Standing.NEW: {Standing.MEMBER},
    Standing.MEMBER: {Standing.AWAY, Standing.LEAVING},
    Standing.AWAY: {Standing.DISOWNING},
    Standing.DISOWNING: {Standing.MEMBER, Standing.AWAY, Standing.LEAVING},
    Standing.LEAVING: {Standing.GONE, Standing.AWAY},
    Standing.GONE: set[Standing](),
}


class Membership:
    """Ensures that a runner claims only while the server and the runner agree on what it holds."""

    def __init__(self, runner: str, connector: Connector, jobs: Jobs, results: Results) -> None:
        self._runner = runner
        self._connector = connector
        self._jobs = jobs
        self._results = results
        self._standing = Phases(Standing.NEW, ALLOWED)
        self.connection = 0
        """The number of the newest connection; by it the server knows what comes late over an older one."""
        connector.tell(self)

    @property
    def may_claim(self) -> bool:
        """False while the runner gives back leases that it doesn't know: a new one would be mistaken for these."""
        return self._standing.now is Standing.MEMBER

    @property
    def is_leaving(self) -> bool:
        """Whether the runner has asked the server to forget it."""
        return self._standing.now is Standing.LEAVING

    @property
    def is_gone(self) -> bool:
        """Whether the server has forgotten the runner."""
        return self._standing.now is Standing.GONE

    def leave(self, workers: list[str]) -> None:
        """Ask the server, once, to forget the runner. Only without leases and with all results acknowledged."""
        connections = self._connector.connections
        if connections is not None and self._standing.enter(Standing.LEAVING):
            connections.work.call(retire(self._runner, workers), self._left)

    def gained(self, connections: Connections) -> None:
        """Give back what was lost with the last connection, if there was one."""
        self.connection += 1
        if self._standing.enter(Standing.DISOWNING):
            known = [*self._jobs.leases(), *(lease for lease, _, _ in self._results.unsent)]
            connections.work.call(disown(self._runner, self.connection, known), self._disowned)
        else:
            self._standing.enter(Standing.MEMBER)

    def lost(self, *, wrong_server: bool) -> None:
        """Note the loss; an unanswered request to forget the runner is repeated later."""
        self._standing.enter(Standing.AWAY)

    def _left(self, _: int) -> None:
        self._standing.enter(Standing.GONE)

    def _disowned(self, _: int) -> None:
        self._standing.enter(Standing.MEMBER)
