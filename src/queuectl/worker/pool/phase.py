"""The phases of a pool."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """What a pool is about. In all but the first it starts no runner; it exits with the last of them."""

    WORKING = "working"
    FAILED = "failed"
    """No runner can do its work."""
    DRAINING = "draining"
    """A signal came: the running jobs are finished."""
    QUITTING = "quitting"
    """A second signal came: they are put back."""


ALLOWED = {
    Phase.WORKING: {Phase.FAILED, Phase.DRAINING},
    Phase.FAILED: {Phase.DRAINING},
    Phase.DRAINING: {Phase.QUITTING},
    Phase.QUITTING: set[Phase](),
}
