"""A job: what a user asked to run, and its progress so far."""

from __future__ import annotations

from typing import Any, NamedTuple

from queuectl.model import cause
from queuectl.model.command import SHELL
from queuectl.model.lifecycle import JobState
from queuectl.model.queue import DEFAULT_QUEUE
from queuectl.model.retry import RetryPolicy
from queuectl.options import JobOptions
from queuectl.options.lease import unread


class Waiting(NamedTuple):
    """The job is ready to run."""


class Running(NamedTuple):
    """A worker has the job. ``started_at`` is None for a job that was just claimed.

    ``unkillable`` describes processes that the worker could not kill; the job runs until they exit.
    """

    worker: str
    host: str
    started_at: float | None = None
    unkillable: str = ""


class Retrying(NamedTuple):
    """The last attempt failed; the next one is due at this time."""

    due_at: float | None


class Ended(NamedTuple):
    """The job is over since this time."""

    at: float | None


class Attempt(NamedTuple):
    """The newest attempt that has ended: who ran it, when, and the outcome.

    ``exit_code``, ``cause`` and ``detail`` are those of its `queuectl.model.outcome.Outcome`.
    """

    worker: str
    host: str
    started_at: float | None
    exit_code: int | None
    cause: str
    detail: str


class Job(NamedTuple):
    """One job, as it is claimed, shown and returned.

    Times are Unix seconds by the server's clock. ``command`` is bytes, because file names in it need not be text;
    ``form`` says how to run it. ``standing`` has the data of the job's current state. ``attempts`` counts those
    that ended with a result of the command; ``crashes`` counts worker deaths instead. ``fence`` rises with every
    claim. ``last`` is None until an attempt has ended.
    """

    id: str
    state: JobState
    command: bytes
    form: str = SHELL
    queue: str = DEFAULT_QUEUE
    options: JobOptions = JobOptions()
    cwd: bytes = b""
    env: str = ""
    created_at: float | None = None
    attempts: int = 0
    crashes: int = 0
    fence: int = 0
    standing: Waiting | Running | Retrying | Ended = Waiting()
    last: Attempt | None = None

    @property
    def policy(self) -> RetryPolicy:
        """How often and when the job is retried."""
        return RetryPolicy(self.options.max_retries, self.options.backoff_base, self.options.backoff_factor)

    @property
    def reason(self) -> str:
        """Why the newest attempt failed, the job ended or can't end, in words; empty if nothing went wrong."""
        if isinstance(self.standing, Running) and self.standing.unkillable:
            return cause.sentence(cause.UNKILLABLE, self.standing.unkillable)
        if self.last is None:
            return ""
        return cause.sentence(self.last.cause, self.last.detail, self.options, self.crashes)

    @property
    def cause(self) -> str:
        """The same as data; see `queuectl.model.cause`."""
        if isinstance(self.standing, Running) and self.standing.unkillable:
            return cause.UNKILLABLE
        return self.last.cause if self.last else ""

    @property
    def exit_code(self) -> int | None:
        """The exit code of the newest attempt that has ended."""
        return self.last.exit_code if self.last else None

    @property
    def run(self) -> Running | Attempt | None:
        """Who runs the job, or ran it last, and since when."""
        return self.standing if isinstance(self.standing, Running) else self.last

    @property
    def started_at(self) -> float | None:
        """When the newest attempt began."""
        return self.run.started_at if self.run else None

    @property
    def finished_at(self) -> float | None:
        """When the job ended; None if it has not."""
        return self.standing.at if isinstance(self.standing, Ended) else None

    @property
    def next_retry_at(self) -> float | None:
        """When the job is retried; None if no retry is planned."""
        return self.standing.due_at if isinstance(self.standing, Retrying) else None


class ClaimedJob(Job):
    """A job as its runner gets it. To ask for what a claim does not read raises LookupError."""

    __slots__ = ()
    created_at: Any = unread("created_at")
    crashes: Any = unread("crashes")
    last: Any = unread("last")


class Lease(NamedTuple):
    """A job that a runner has claimed, with its fence: only the newest fence can record a result."""

    job: Job
    fence: int

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.job.id
