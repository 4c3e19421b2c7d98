"""The phases of a runner."""

from __future__ import annotations

from enum import Enum

from queuectl.worker.runner.messages import DRAINED, REFUSED, STOPPED


class Phase(Enum):
    """A runner's phase. In all but the first it takes no job, and exits when it holds none."""

    WORKING = "working"
    STOPPING = "stopping"
    """The stop signal is set. `worker resume` can undo it until the runner asks the server to forget it."""
    REFUSING = "refusing"
    """In a burst, and the server's records are of a later version."""
    DRAINING = "draining"
    """Its pool said so, or a burst is over."""
    QUITTING = "quitting"
    """Its jobs were stopped, and it won't wait for an absent server."""


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
"""A runner's exit code, by the phase in which it ran out of work."""
