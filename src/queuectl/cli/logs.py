"""`queuectl logs`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.command_line import command_line
from queuectl.cli.each import each_id
from queuectl.cli.follow import Output, follow_jobs
from queuectl.cli.no_output import say_why_none
from queuectl.cli.options import json_option
from queuectl.cli.patience import patience_option
from queuectl.cli.screens.messages import hint, note
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.screens.values import SHORT_ID, quantity
from queuectl.cli.types import JobId, WholeNumber
from queuectl.cli.verb import Verb
from queuectl.logs import reader
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.schema.results import log_object


@click.command(cls=Verb, name="logs")
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, type=JobId())
@click.option("--follow", "-f", is_flag=True, help="Print until the job is over; exit with 1 unless it completed.")
@click.option(
    "--attempt", "-a", type=WholeNumber(1), metavar="N", help="The output of attempt N (default: newest)."
)
@click.option("--all", "every", is_flag=True, help="The output of every attempt, with a heading each.")
@click.option("--tail", "-n", type=WholeNumber(0), metavar="N", help="Only the last N lines.")
@click.option("--raw", is_flag=True, help="Keep control characters, even on a terminal.")
@patience_option
@json_option
@pass_app
@click.pass_context
def logs_command(
    ctx: click.Context,
    app: App,
    job_ids: tuple[str, ...],
    follow: bool,
    attempt: int | None,
    every: bool,
    tail: int | None,
    raw: bool,
    patience: float | None,
    as_json: bool,
) -> None:
    """Print what jobs wrote to their stdout and stderr.

    \b
    Examples:
      queuectl logs 9fa2
      queuectl logs 9fa2 --follow --tail 20
      queuectl logs 9fa2 --attempt 1
      queuectl logs 9fa2 d006

    Files and pipes get the exact bytes; a terminal gets them without control characters. With several jobs, each
    has a heading. A log is on the host where the job ran: on another host, the exit code is 1.
    """
    _check(follow=follow, every=every, patience=patience)
    out = Output(raw, headings=len(job_ids) > 1)
    if as_json:
        ctx.exit(each_id(job_ids, partial(_print_objects, app)))
    if not follow:
        shown = Shown(attempt, every, tail)
        ctx.exit(each_id(job_ids, partial(_print_output, app, out, shown)))
    jobs: list[Job] = []

    def find(given: str) -> int:
        jobs.append(app.manager.job(given))
        return 0

    code = each_id(job_ids, find)
    if jobs:
        _say_if_they_wait(app, jobs)
        found = [job.id for job in jobs]
        code = follow_jobs(app, found, out, patience=patience, attempt=attempt, last_lines=tail) or code
    ctx.exit(code)


def _say_if_they_wait(app: App, jobs: Sequence[Job]) -> None:
    """Say why nothing comes yet, once for all jobs."""
    waiting = [job for job in jobs if job.state is JobState.PENDING and not job.attempts]
    if not waiting:
        return
    who = "The job waits" if len(jobs) == 1 else f"{quantity(len(waiting), 'job')} wait"
    if app.workers.are_stopped():
        note(f"{who}: the workers are stopped. Go on with:", command_line("worker resume"))
    elif not app.workers.count():
        note(f"{who}: no worker is running. Start some with:", command_line("worker start --count 2"))
    else:
        for job in waiting:
            hint(f"Job {job.id[:SHORT_ID]} waits for a worker.")


class Shown(NamedTuple):
    """The part of a job's output to print: which attempt, or every one, and how many of its last lines."""

    attempt: int | None
    every: bool
    last_lines: int | None


def _check(*, follow: bool, every: bool, patience: float | None) -> None:
    if follow and every:
        raise click.UsageError("--follow goes with --tail, not with --all.")
    if patience is not None and not follow:
        raise click.UsageError("--patience says how long to wait for the server: it goes with --follow.")


def _print_output(app: App, out: Output, shown: Shown, given: str) -> int:
    job, home = app.manager.job(given), app.settings.home
    out.begin(job.id)
    logs = [log for log in reader.attempts(home, job.id) if shown.attempt in (None, log.attempt)]
    if not logs:
        return 0 if say_why_none(app, job, shown.attempt) else 1
    for log in logs if shown.every else logs[-1:]:
        if shown.every:
            note(f"--- attempt {log.attempt} (run {log.fence}) ---")
        out.write_all(reader.read(home, job.id, fence=log.fence, last_lines=shown.last_lines))
    return 0


def _print_objects(app: App, given: str) -> int:
    job = app.manager.job(given)
    for log in reader.attempts(app.settings.home, job.id):
        print_json(log_object(job.id, log))
    return 0
