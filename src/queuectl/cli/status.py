"""`queuectl status`."""

from __future__ import annotations

import time

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.options import json_option
from queuectl.cli.output import SHORT_ID, hint, print_json, quantity, say, span, state_text, table, worker_object
from queuectl.manager.queue_manager import Status
from queuectl.model.worker import WorkerInfo


@click.command(name="status")
@json_option
@pass_app
def status_command(app: App, as_json: bool) -> None:
    """Show how many jobs are in each state, and what each worker does.

    \b
    Examples:
      queuectl status
      queuectl status --json | jq .jobs.pending
    """
    status = app.manager.status()
    if as_json:
        print_json(
            {
                "jobs": {state.value: count for state, count in status.jobs.items()},
                "workers": [worker_object(worker) for worker in status.workers],
                "stopped": status.stopped,
                "set_aside": status.set_aside,
            }
        )
        return
    _print(status)


def _print(status: Status) -> None:
    click.echo("Jobs")
    for state, count in status.jobs.items():
        click.echo(f"  {state_text(state, 12)}{count:>10,}")
    busy = sum(1 for worker in status.workers if worker.job)
    click.echo(f"\nWorkers: {len(status.workers)}" + (f", {busy} busy" if status.workers else ""))
    if status.workers:
        print_workers(status.workers)
    if status.stopped:
        say("The stop signal is set. Go on with: queuectl worker resume")
    elif not status.workers:
        hint("Start some with: queuectl worker start --count 2")
    if status.set_aside:
        found = quantity(len(status.set_aside), "id")
        say(f"Set aside from the queue: {found} that no valid job has, such as {status.set_aside[0]!r}.")


def print_workers(workers: list[WorkerInfo]) -> None:
    """A table of workers."""
    now = time.time()
    table(
        ["WORKER", "STATUS", "JOB", "UP", "HOST"],
        [
            [
                worker.name,
                worker.status,
                worker.job[:SHORT_ID] or "-",
                span(now - worker.started_at),
                f"{worker.host} pid {worker.pid}",
            ]
            for worker in workers
        ],
        spare=["HOST", "UP"],
    )
