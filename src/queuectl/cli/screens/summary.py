"""Shows the whole system in one sentence, and each state in a line."""

from __future__ import annotations

import click

from queuectl.cli.command_line import command_line
from queuectl.cli.screens.messages import hint, say
from queuectl.cli.screens.table import state_text
from queuectl.cli.screens.values import quantity, span
from queuectl.cli.screens.workers import pools_table
from queuectl.manager.status import Status
from queuectl.model.lifecycle import JobState


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
    if status.stopped:
        say("The stop signal is set. Go on with:", command_line("worker resume"))
    elif not status.workers:
        hint("Start some with:", command_line("worker start --count 2"))
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


def _pace(per_second: float) -> str:
    if per_second >= 1:
        return f"{per_second:,.0f}/s"
    return f"{per_second * 60:,.0f}/min" if per_second * 60 >= 1 else f"{per_second * 3600:,.0f}/h"


def _counts_claimed(state: JobState, status: Status) -> bool:
    return state is JobState.PROCESSING and status.claimed > 0
