"""How one attempt ended, as its worker reports it."""

from __future__ import annotations

from typing import NamedTuple

COMPLETED = "completed"  # exit code 0
RETRY = "retry"  # failed, and another attempt follows after `delay`
DEAD = "dead"  # failed for good
CANCELLED = "cancelled"  # killed because a person asked for it
HANDED_BACK = "handed_back"  # not the command's doing: back to the queue, nothing counted
CRASHED = "crashed"  # its worker died under it: back to the queue, counted as a crash


class Outcome(NamedTuple):
    """How one attempt ended.

    ``verdict`` is one of the constants above. ``exit_code`` is ``None`` when the command didn't exit by itself.
    ``cause`` and ``detail``: see `queuectl.model.cause`; both are empty on success. ``delay`` is the pause in
    seconds before the next attempt, for RETRY only. ``duration`` is in seconds.
    """

    verdict: str
    exit_code: int | None = None
    cause: str = ""
    detail: str = ""
    duration: float = 0.0
    delay: float = 0.0
