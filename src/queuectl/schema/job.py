"""A job as JSON."""

from __future__ import annotations

import os
import shlex
from typing import Any

from queuectl.model.command import EXEC
from queuectl.model.job import Job
from queuectl.options import OPTIONS, SCRIPT
from queuectl.schema.times import timestamp


def command_text(job: Job) -> str:
    """Return the command as one would type it, with surrogates for bytes that are not text."""
    if job.form == EXEC:
        return shlex.join(os.fsdecode(argument) for argument in job.command.split(b"\0"))
    return job.command.decode("utf-8", "surrogateescape")


def job_object(job: Job) -> dict[str, Any]:
    """Return everything known about a job. ``status`` is the deprecated name of ``state``."""
    run = job.run
    options = {
        name: (value or None) if OPTIONS[name].unlimited else value
        for name, value in job.options.values().items()
        if OPTIONS[name].goes_to != SCRIPT
    }
    limits = {name: options.pop(name) for name, option in OPTIONS.items() if option.limit}
    return {
        "id": job.id,
        "state": job.state.value,
        "status": job.state.value,
        "command": command_text(job),
        "shell": job.form != EXEC,
        "queue": job.queue,
        "attempts": job.attempts,
        "crashes": job.crashes,
        **options,
        "limits": limits,
        "cwd": job.cwd.decode("utf-8", "surrogateescape"),
        "exit_code": job.exit_code,
        "cause": job.cause,
        "reason": job.reason,
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "finished_at": timestamp(job.finished_at),
        "next_retry_at": timestamp(job.next_retry_at),
        "worker": (run and run.worker) or None,
        "host": (run and run.host) or None,
        "fence": job.fence,
    }


def listed_object(job: Job, cursor: str) -> dict[str, Any]:
    """Return a job of a list, with the cursor after which the next page begins."""
    return job_object(job) | {"cursor": cursor}
