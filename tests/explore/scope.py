"""The scope of an exploration: everything that can happen within these bounds."""

from __future__ import annotations

from typing import NamedTuple


class Scope(NamedTuple):
    """The bounds of one run; they are published with its result."""

    jobs: int = 2
    """Jobs that are added, one by one, at any time."""

    runners: int = 2
    """Processes that claim jobs; at most all but one of them die or leave."""

    disturbances: int = 2
    """How many of the actions that are marked as a disturbance one history has, all kinds together."""

    max_retries: int = 1
    """Failed attempts of a job that are followed by another one."""

    crashes_before: int = 3
    """Workers that have died under each job before it all begins: `MAX_CRASHES` is then within reach."""

    def __str__(self) -> str:
        return (
            f"{self.jobs} jobs, {self.runners} runners, {self.disturbances} disturbances, "
            f"{self.max_retries} retries of a failing job"
        )


SHORT = Scope(disturbances=1)
"""What the tests walk, in some seconds."""

LONG = Scope(disturbances=2)
"""What `make explore` walks."""

LONG_SECONDS = 1e9
"""A lease or a pause that lasts until an action ends it, some thirty years: no real time passes in a run."""

FUTURE = 2.2e9
"""Times after this one, in 2039, are in the future of a run, all others in its past."""

ENDED = 1_000_000.0
"""Where an action puts the end of a lease or a pause that is over."""

LAST_HEARD = 2_000_000.0
"""Where a jump of the clock puts the last heartbeat; leases that were held then end LONG_SECONDS later."""
