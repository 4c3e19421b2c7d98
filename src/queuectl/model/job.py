"""The job: what a user asked to run, and how it has gone so far."""

from __future__ import annotations

from typing import NamedTuple

from queuectl.model.command import SHELL
from queuectl.model.job_limits import NO_LIMITS, JobLimits
from queuectl.model.lifecycle import JobState
from queuectl.model.retry import RetryPolicy

DEFAULT_QUEUE = "default"


class Job(NamedTuple):
    """One job as the server knows it.

    Times are Unix seconds by the server's clock; ``None`` where the event has not happened.
    ``command`` is bytes: a file name in it need not be text. ``timeout`` is in seconds, 0 for none.
    ``attempts`` counts the attempts that ended with a result of the command; a worker's death is
    counted in ``crashes`` instead. ``fence`` rises with every claim.
    """

    id: str
    status: JobState
    command: bytes
    form: str = SHELL
    queue: str = DEFAULT_QUEUE
    policy: RetryPolicy = RetryPolicy()
    timeout: float = 0.0
    limits: JobLimits = NO_LIMITS
    attempts: int = 0
    crashes: int = 0
    fence: int = 0
    cwd: bytes = b""
    env: str = ""
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    next_retry_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    worker: str = ""
    host: str = ""


class Outcome(NamedTuple):
    """How one attempt ended, as its worker reports it.

    ``verdict`` is one of the constants below. ``exit_code`` is ``None`` when the command didn't end
    by itself. ``reason`` is one line for people, empty on success. ``delay`` is the pause in seconds
    before the next attempt, for RETRY only. ``duration`` is in seconds.
    """

    verdict: str
    exit_code: int | None = None
    reason: str = ""
    duration: float = 0.0
    delay: float = 0.0


COMPLETED = "completed"  # exit code 0
RETRY = "retry"  # failed, and another attempt follows after `delay`
DEAD = "dead"  # failed for good
CANCELLED = "cancelled"  # ended because a person asked for it
HANDED_BACK = "handed_back"  # not the command's doing: back to the queue, nothing counted
CRASHED = "crashed"  # its worker died under it: back to the queue, counted as a crash
