"""The job: what a user asked to run, and how it has gone so far."""

from __future__ import annotations

from typing import NamedTuple

from queuectl.model import cause
from queuectl.model.command import SHELL
from queuectl.model.lifecycle import JobState
from queuectl.model.queue import DEFAULT_QUEUE
from queuectl.model.retry import RetryPolicy
from queuectl.options import JobOptions


class Waiting(NamedTuple):
    """It is ready to run."""


class Running(NamedTuple):
    """A worker has it. ``started_at`` is None for a job that was just claimed."""

    worker: str
    host: str
    started_at: float | None = None


class Retrying(NamedTuple):
    """Its last attempt failed, and the next one is due then."""

    due_at: float | None


class Ended(NamedTuple):
    """It is over, since then."""

    at: float | None


class Attempt(NamedTuple):
    """The newest attempt that has ended: who ran it, since when, and how it went.

    ``exit_code`` is None if the command did not exit by itself; for ``cause`` and ``detail`` see
    `queuectl.model.cause`.
    """

    worker: str
    host: str
    started_at: float | None
    exit_code: int | None
    cause: str
    detail: str


class Job(NamedTuple):
    """One job, as it is claimed, shown and returned.

    Times are Unix seconds by the server's clock. ``command`` is bytes: a file name in it need not be text; ``form``
    says how it is run. ``standing`` is what holds in the job's state alone. ``attempts`` counts those that ended
    with a result of the command; a worker's death is counted in ``crashes`` instead. ``fence`` rises with every
    claim. ``last`` is None while no attempt has ended.
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
        """How often and when it is tried again."""
        return RetryPolicy(self.options.max_retries, self.options.backoff_base, self.options.backoff_factor)

    @property
    def reason(self) -> str:
        """Why its newest attempt failed, or it ended, in words; empty where nothing went wrong."""
        if self.last is None:
            return ""
        return cause.sentence(self.last.cause, self.last.detail, self.options, self.crashes)

    @property
    def exit_code(self) -> int | None:
        """What its newest attempt that ended exited with."""
        return self.last.exit_code if self.last else None

    @property
    def run(self) -> Running | Attempt | None:
        """Who runs it, or ran it last, and since when."""
        return self.standing if isinstance(self.standing, Running) else self.last

    @property
    def started_at(self) -> float | None:
        """When its newest attempt began."""
        return self.run.started_at if self.run else None

    @property
    def finished_at(self) -> float | None:
        """When it ended; None while it has not."""
        return self.standing.at if isinstance(self.standing, Ended) else None

    @property
    def next_retry_at(self) -> float | None:
        """When it is tried again; None where that is not planned."""
        return self.standing.due_at if isinstance(self.standing, Retrying) else None


class Lease(NamedTuple):
    """A job that a runner has claimed, and the number that proves it: only the newest fence can record a result."""

    job: Job
    fence: int

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.job.id
