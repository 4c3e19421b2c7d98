"""A job's states, and the allowed transitions between them."""

from __future__ import annotations

from enum import Enum


class JobState(str, Enum):
    """A job's state. The hash's ``status`` field and all JSON objects use this value."""

    PENDING = "pending"  # ready to run
    PROCESSING = "processing"  # leased by one worker
    FAILED = "failed"  # waits for its next attempt
    COMPLETED = "completed"  # its command exited with 0
    DEAD = "dead"  # in the dead letter queue
    CANCELLED = "cancelled"  # by a person, or by `queue clear`

    __str__ = str.__str__


FINAL = frozenset({JobState.COMPLETED, JobState.DEAD, JobState.CANCELLED})
"""States that a job leaves only when a person decides so (`dlq retry`) or when it is removed."""

MAX_CRASHES = 5
"""Workers that may die while they run a job; the last of them makes it dead. The scripts have the same number."""

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.PROCESSING, JobState.CANCELLED}),
    JobState.PROCESSING: frozenset(
        {
            JobState.COMPLETED,
            JobState.FAILED,
            JobState.DEAD,
            JobState.CANCELLED,
            JobState.PENDING,  # its lease was lost, or it was handed back while draining
        }
    ),
    JobState.FAILED: frozenset({JobState.PENDING, JobState.CANCELLED}),
    JobState.COMPLETED: frozenset(),
    JobState.DEAD: frozenset({JobState.PENDING}),  # dlq retry
    JobState.CANCELLED: frozenset(),
}
"""Every legal transition. The scripts follow this table, and a property test verifies it."""
