"""An attempt's outcome, as its worker reports it."""

from __future__ import annotations

from typing import NamedTuple

COMPLETED = "completed"  # exit code 0
RETRY = "retry"  # failed, and will be retried after `delay`
DEAD = "dead"  # failed for good
CANCELLED = "cancelled"  # killed on a person's request
HANDED_BACK = "handed_back"  # not the command's fault: back to the queue, nothing counted
CRASHED = "crashed"  # its worker died: back to the queue, counted as a crash


class Outcome(NamedTuple):
    """The outcome of one attempt.

    ``verdict`` is one of the constants above. ``exit_code`` is 128 + N if signal N killed the command, and None if
    queuectl killed it or its worker died. ``cause`` and ``detail``: see `queuectl.model.cause`; both are empty on
    success. ``delay`` is the pause in seconds before the next attempt, for RETRY only. ``duration`` is in seconds.
    """

    verdict: str
    exit_code: int | None = None
    cause: str = ""
    detail: str = ""
    duration: float = 0.0
    delay: float = 0.0
