"""Shows a job as the cells of a table, or as the lines of `show`. No other screen reads a job's fields."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.cli.screens.table import Table
from queuectl.cli.screens.values import SHORT_ID, ago, local_time, since, span
from queuectl.model.cause import in_short
from queuectl.model.command import EXEC
from queuectl.model.job import Job
from queuectl.model.lifecycle import FINAL, JobState
from queuectl.model.queue import DEFAULT_QUEUE
from queuectl.options import OPTIONS
from queuectl.options.values import span_text
from queuectl.schema.job import command_text
from queuectl.text import one_line

LONGEST_RESULT = 16
"""Columns for a job's result, whatever the server says it was."""


class JobsTable:
    """A line for each job.

    ``one_state``: all have the same, so drop its column first. ``pages``: more rows may follow the first ones.
    """

    def __init__(self, *, one_state: bool, pages: bool) -> None:
        self._table = Table(
            ["ID", "STATE", "ATTEMPTS", "WHEN", "RESULT", "COMMAND"],
            spare=[*(["STATE"] if one_state else []), "ATTEMPTS", "WHEN"],
            whole=["ID", "STATE"],
            samples=["", max(JobState, key=len)] if pages and not one_state else [],
        )

    def print(self, jobs: Sequence[Job], now: float) -> None:
        """Print some jobs; the headings come once."""
        self._table.print(
            [job.id[:SHORT_ID], job.state.value, _attempts(job), _when(job, now), _result(job), command_text(job)]
            for job in jobs
        )


def job_details(job: Job, now: float, log: str | None) -> dict[str, str]:
    """Return what `show` prints about a job, name to value, without empty and default values."""
    details = {
        "id": job.id,
        "state": job.state.value,
        "command": command_text(job),
        "run by": "itself, without a shell" if job.form == EXEC else "",
        "directory": job.cwd.decode("utf-8", "surrogateescape"),
        "queue": "" if job.queue == DEFAULT_QUEUE else job.queue,
        "attempts": _attempts(job).replace("/", " of "),
        "crashes": str(job.crashes or ""),
        "backoff": _backoff(job),
        **_options(job),
        "limits": _limits(job),
        "reason": job.reason,
        "exit code": _exit_code(job),
        "created": _moment(job.created_at, now),
        "started": _moment(job.started_at, now),
        "finished": _moment(job.finished_at, now),
        "took": _took(job, now),
        "next retry": _moment(job.next_retry_at, now),
        "worker": job.run.worker if job.run else "",
        "host": "" if job.run is None or job.run.worker.startswith(job.run.host) else job.run.host,
        "log": log or "",
    }
    return {name: value for name, value in details.items() if value}


def _attempts(job: Job) -> str:
    """Return the attempts so far, including a running one, and the most it may have."""
    return f"{job.attempts + (job.state is JobState.PROCESSING)}/{job.policy.max_retries + 1}"


def _backoff(job: Job) -> str:
    policy = job.policy
    if policy.max_retries == 0 or job.state in FINAL:
        return ""  # it won't be retried
    return f"{span_text(policy.backoff_base)} * {policy.backoff_factor:g} ^ retry"


def _exit_code(job: Job) -> str:
    said = job.exit_code in (None, 0) or (job.last is not None and job.last.cause.startswith("exit:"))
    return "" if said else str(job.exit_code)


def _when(job: Job, now: float) -> str:
    if job.state is JobState.PROCESSING and job.started_at is not None:
        return since(job.started_at, now)
    moment = job.next_retry_at or job.finished_at or job.started_at or job.created_at
    if moment is None:
        return ""
    if job.next_retry_at and moment <= now:
        return "now"
    return ago(moment, now)


def _result(job: Job) -> str:
    """Return the newest attempt's result; empty if the state says it all, or another attempt is running."""
    if job.state in (JobState.PROCESSING, JobState.CANCELLED) or job.last is None:
        return ""
    return one_line(in_short(job.last.cause, job.last.detail), LONGEST_RESULT)


def _took(job: Job, now: float) -> str:
    if job.state is JobState.CANCELLED:
        return ""  # it may have waited for a retry, and its last attempt's start does not tell
    # A job that was handed back is only waiting.
    ended = now if job.state is JobState.PROCESSING else job.finished_at
    return span(ended - job.started_at) if job.started_at and ended else ""


def _options(job: Job) -> dict[str, str]:
    """Return the options that the job was given, except those that other lines tell."""
    return {
        name.replace("_", " "): option.kind.words(getattr(job.options, name))
        for name, option in OPTIONS.items()
        if option.shown and getattr(job.options, name) != option.default
    }


def _limits(job: Job) -> str:
    given = job.options.given
    limits = [option for name, option in OPTIONS.items() if option.limit and given.get(name)]
    return ", ".join(
        f"{option.name.replace('_', ' ')} {option.kind.words(given[option.name])}" for option in limits
    )


def _moment(seconds: float | None, now: float) -> str:
    return "" if seconds is None else f"{local_time(seconds)} ({ago(seconds, now)})"
