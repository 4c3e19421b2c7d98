"""What the figures ought to be. A figure names its target by key; here is all that is known of each."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """A bound on a figure's value, in the figure's unit."""

    bound: float
    at_least: bool
    """Whether more is better; else the bound is the most that may be."""

    def met(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def words(self) -> str:
        """The bound, for people: "at least 0.95"."""
        return f"at {'least' if self.at_least else 'most'} {self.bound:.3g}"

    def verdict(self, value: float) -> str:
        """The bound and whether it is met."""
        return f"target {self.words()}: {'met' if self.met(value) else 'missed'}"

    def loosened(self, times: float) -> Target:
        """The same, so many times easier to meet."""
        return self._replace(bound=self.bound / times if self.at_least else self.bound * times)


def _at_least(bound: float) -> Target:
    return Target(bound, at_least=True)


def _at_most(bound: float) -> Target:
    return Target(bound, at_least=False)


TARGETS = {
    # Of what `xargs -P` does in the same time.
    "drain-2-always": _at_least(0.85),
    "drain-2-everysec": _at_least(0.95),
    "drain-4-always": _at_least(0.95),
    "drain-4-everysec": _at_least(1.0),
    "drain-8-always": _at_least(0.95),
    "drain-8-everysec": _at_least(1.0),
    "printing-jobs-always": _at_least(0.75),
    "printing-jobs-everysec": _at_least(0.9),
    "simple-commands": _at_least(1.1),
    # Jobs that are added in a second.
    "bulk-enqueue-call": _at_least(100_000),
    "bulk-enqueue-lines": _at_least(50_000),
    # A process, as a multiple of another.
    "enqueue-of-bare-python": _at_most(4),
    "enqueue-of-empty-click": _at_most(1.25),
    # Microseconds of the server's processor time for a job.
    "server-bulk": _at_most(50),
    "server-single": _at_most(80),
    # Milliseconds.
    "pickup-p50": _at_most(2),
    "pickup-p99": _at_most(8),
    # Percent of a core, commands a second, megabytes.
    "idle-cpu": _at_most(0.1),
    "idle-commands": _at_most(2),
    "idle-memory": _at_most(30),
    # A call with many jobs, as a multiple of the same with few.
    "scale": _at_most(1.2),
    # Bytes of a pending job.
    "memory": _at_most(500),
    # Percent of the slots that are busy; megabytes of the pool's own processes.
    "busy-slots": _at_least(95),
    "large-pool-memory": _at_most(100),
    # The time of one job with much output, as a multiple of `sh -c 'COMMAND > FILE'`.
    "log-capture": _at_most(1.3),
}
"""Key to target; the keys are those of `Figure.target`."""
