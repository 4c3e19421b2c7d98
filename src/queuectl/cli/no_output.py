"""Says why a job has no output to show."""

from __future__ import annotations

import os

from queuectl.cli.app import App
from queuectl.cli.command_line import command_line
from queuectl.cli.screens.messages import hint, note
from queuectl.cli.screens.values import SHORT_ID
from queuectl.errors import QueuectlError
from queuectl.host import host_name
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState


def say_why_none(app: App, job: Job, attempt: int | None) -> bool:
    """Say why no log was found. Returns False if it is on another host.

    Raises QueuectlError if there was no such attempt.
    """
    short, run = job.id[:SHORT_ID], job.run
    if attempt is not None and attempt > job.attempts + (job.state is JobState.PROCESSING):
        raise QueuectlError(f"Job {short} has had no attempt {attempt}.", f"See: queuectl show {short}")
    if run and run.host and run.host != host_name():
        runs = "runs" if job.state is JobState.PROCESSING else "ran"
        note(
            f"Job {short} {runs} on host {run.host}, and its log is there. On that host:",
            command_line(f"logs {short}"),
        )
        return False
    if job.attempts == 0 and (run is None or run.started_at is None):
        hint(f"Job {short} has not run yet: it is {job.state.value}.")
    elif run and _wrote_here(app, run.worker):
        hint("It has printed nothing yet." if job.state is JobState.PROCESSING else "It printed nothing.")
    else:
        folder = os.path.join(app.settings.home, "logs")
        hint(f"No log of job {short} is in {folder}. It printed nothing, or its worker has another state folder.")
    return True


def _wrote_here(app: App, worker: str) -> bool:
    from queuectl.worker.pool.record import works_here

    return works_here(app.settings, worker)
