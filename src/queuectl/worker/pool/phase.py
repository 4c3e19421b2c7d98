"""The phases of a pool."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """A pool's phase. In all but the first it starts no runner, and exits with its last one."""

    WORKING = "working"
    FAILED = "failed"
    """No runner can do its work."""
    DRAINING = "draining"
    """A signal came: the running jobs may finish."""
    QUITTING = "quitting"
    """A second signal came: the running jobs go back to the queue."""


ALLOWED = {
    Phase.WORKING: {Phase.FAILED, Phase.DRAINING},
    Phase.FAILED: {Phase.DRAINING},
    Phase.DRAINING: {Phase.QUITTING},
    Phase.QUITTING: set[Phase](),
}
