"""Shows the whole system in one sentence, and each state in a line."""

from __future__ import annotations

from collections.abc import Sequence

import click

from queuectl.cli.command_line import command_line
from queuectl.cli.screens.messages import hint, say
from queuectl.cli.screens.table import state_text
from queuectl.cli.screens.values import SHORT_ID, quantity, span
from queuectl.cli.screens.workers import pools_table
from queuectl.manager.status import Status
from queuectl.model.lifecycle import JobState
from queuectl.model.worker import WorkerInfo


def print_summary(status: Status) -> None:
    """Print the output of `status`."""
    say(sentence(status))
    for state, count in status.jobs.items():
        if count:
            ahead = f"  ({status.claimed:,} claimed, not started)" if _counts_claimed(state, status) else ""
            click.echo(f"  {state_text(state.value, 12)}{count:>10,}{ahead}")
    click.echo(f"Workers: {len(status.workers):,}" + (f", {status.running:,} busy" if status.workers else ""))
    now = status.activity.now
    if status.workers:
        pools_table(status.workers, now)
    for job_id in status.stuck:
        say(f"Job {job_id[:SHORT_ID]} can't be killed. See:", command_line(f"show {job_id[:SHORT_ID]}"))
    if status.silent:
        say(
            f"{quantity(len(status.silent), 'worker')} of {_places(status.silent)} gave no answer: a process there"
            " is frozen. Two SIGTERM to the pool stop it all the same."
        )
    if status.stopped:
        say("The stop signal is set. Go on with:", command_line("worker resume"))
    elif not status.workers:
        hint("Start some with:", command_line("worker start --count 2"))
    for loss in status.losses:
        say(loss.words)
    if status.losses:
        say("To stop this message:", command_line("server check --acknowledge"))
    if status.set_aside:
        found = quantity(len(status.set_aside), "id")
        say(f"Set aside from the queue: {found} that no valid job has, such as {status.set_aside[0]!r}.")


def sentence(status: Status) -> str:
    """``500 jobs: 8 running, 66 waiting (the oldest for 12s), 403 completed; 110/s, 1s left``."""
    total = sum(status.jobs.values())
    if not total:
        return "No jobs."
    oldest = status.oldest_pending_at
    age = f" (the oldest for {span(status.activity.now - oldest)})" if oldest is not None else ""
    parts = {
        "running": status.running,
        f"waiting{age}": status.waiting,
        "waiting for a retry": status.jobs[JobState.FAILED],
        "completed": status.jobs[JobState.COMPLETED],
        "dead": status.jobs[JobState.DEAD],
        "cancelled": status.jobs[JobState.CANCELLED],
    }
    text = f"{quantity(total, 'job')}: " + ", ".join(f"{count:,} {name}" for name, count in parts.items() if count)
    if status.seconds_left is not None and status.jobs_per_second:
        text += f"; {_pace(status.jobs_per_second)}, about {span(status.seconds_left)} left"
    return text


def _places(workers: Sequence[WorkerInfo]) -> str:
    """Return the pools of these workers: ``pid 4711 on web1``."""
    return ", ".join(sorted({f"pid {worker.pid} on {worker.host}" for worker in workers}))


def _pace(per_second: float) -> str:
    if per_second >= 1:
        return f"{per_second:,.0f}/s"
    return f"{per_second * 60:,.0f}/min" if per_second * 60 >= 1 else f"{per_second * 3600:,.0f}/h"


def _counts_claimed(state: JobState, status: Status) -> bool:
    return state is JobState.PROCESSING and status.claimed > 0
