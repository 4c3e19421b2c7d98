"""The states of a job, and which may follow which."""

from __future__ import annotations

from enum import Enum


class JobState(str, Enum):
    """Where a job stands. The value is what the hash's ``status`` field and every JSON object say."""

    PENDING = "pending"  # ready to run
    PROCESSING = "processing"  # leased by one worker
    FAILED = "failed"  # waits for its next attempt
    COMPLETED = "completed"  # its command exited with 0
    DEAD = "dead"  # in the dead letter queue
    CANCELLED = "cancelled"  # by a person, or by `queue clear`

    __str__ = str.__str__


FINAL = frozenset({JobState.COMPLETED, JobState.DEAD, JobState.CANCELLED})
"""States that a job leaves only by a person's decision (`dlq retry`), or by being removed."""

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.PROCESSING, JobState.CANCELLED}),
    JobState.PROCESSING: frozenset(
        {
            JobState.COMPLETED,
            JobState.FAILED,
            JobState.DEAD,
            JobState.CANCELLED,
            JobState.PENDING,  # a lost lease, or handed back while draining
        }
    ),
    JobState.FAILED: frozenset({JobState.PENDING, JobState.CANCELLED}),
    JobState.COMPLETED: frozenset(),
    JobState.DEAD: frozenset({JobState.PENDING}),  # dlq retry
    JobState.CANCELLED: frozenset(),
}
"""Every legal change of state. The scripts follow it, and a property test holds them to it."""
