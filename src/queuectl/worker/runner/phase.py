"""The phases of a runner."""

from __future__ import annotations

from enum import Enum

from queuectl.worker.runner.messages import DRAINED, REFUSED, STOPPED


class Phase(Enum):
    """What a runner is about. In all but the first it takes no job, and exits when it holds none."""

    WORKING = "working"
    STOPPING = "stopping"
    """The stop signal is set. `worker resume` can take it back until the runner has taken leave of the server."""
    REFUSING = "refusing"
    """In a burst, and the server's records are of a later version."""
    DRAINING = "draining"
    """Told by its pool, or a burst is over."""
    QUITTING = "quitting"
    """Its jobs were stopped, and it waits for no server that is away."""


ALLOWED = {
    Phase.WORKING: {Phase.STOPPING, Phase.REFUSING, Phase.DRAINING, Phase.QUITTING},
    Phase.STOPPING: {Phase.WORKING, Phase.DRAINING, Phase.QUITTING},
    Phase.REFUSING: {Phase.QUITTING},
    Phase.DRAINING: {Phase.QUITTING},
    Phase.QUITTING: set[Phase](),
}

EXIT_CODES = {
    Phase.STOPPING: STOPPED,
    Phase.REFUSING: REFUSED,
    Phase.DRAINING: DRAINED,
    Phase.QUITTING: DRAINED,
}
"""How a runner exits that has nothing left to do in a phase."""
