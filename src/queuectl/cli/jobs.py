"""`queuectl list`, `show` and `cancel`."""

from __future__ import annotations

import re
import time

import click
from click.core import ParameterSource

from queuectl.cli.app import App, pass_app
from queuectl.cli.options import json_option
from queuectl.cli.output import (
    SHORT_ID,
    ago,
    command_text,
    complain,
    hint,
    job_object,
    note,
    pairs,
    print_json,
    span,
    table,
    timestamp,
)
from queuectl.errors import AmbiguousId, JobNotFound, RecordInvalid
from queuectl.logs import reader
from queuectl.model.cause import in_short
from queuectl.model.command import EXEC
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.options import OPTIONS
from queuectl.storage.calls import Page, Position
from queuectl.storage.scripts import CHUNK
from queuectl.text import one_line

DEFAULT_LIMIT = 50

LONGEST_RESULT = 16
"""Columns for the result of a job, whatever a server says that it was."""

_SCORE = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?")
"""A score as the server writes it."""


class Cursor(click.ParamType):  # type: ignore[type-arg]
    """Where a page ended, as `list` printed it."""

    name = "cursor"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Position:
        """SCORE:ID as a position."""
        score, _, job_id = str(value).partition(":")
        if not _SCORE.fullmatch(score) or not job_id.isprintable():
            self.fail("it is not what list printed for the next page", param, ctx)
        return Position(score, job_id)


limit_option = click.option(
    "--limit",
    "-n",
    type=click.IntRange(0, 1_000_000_000),
    default=DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help="Jobs to list; 0 for all.",
)
after_option = click.option("--after", type=Cursor(), metavar="CURSOR", help="Go on where a page ended.")


@click.command(name="list")
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state.")
@limit_option
@after_option
@json_option
@pass_app
def list_command(app: App, state: str | None, limit: int, after: Position | None, as_json: bool) -> None:
    """List jobs: first those that run or wait for a retry, then those that changed last.

    \b
    Examples:
      queuectl list
      queuectl list --state failed
      queuectl list --json --limit 0 | jq -r .command

    RESULT is the exit code of the newest attempt, or what ended it: a timeout, a limit, a signal, the death of its
    worker.
    """
    print_pages(app, [JobState(state)] if state else [], limit, after, as_json)


def print_pages(app: App, states: list[JobState], limit: int, after: Position | None, as_json: bool) -> None:
    """List up to ``limit`` jobs (0: all), a chunk at a time."""
    left, first = limit or float("inf"), True
    while left > 0:
        size = int(min(left, CHUNK))
        page = app.manager.page(states, size, after)
        if as_json:
            _print_objects(page)
        elif page.jobs or first:
            _print_table(page.jobs, first, one_state=len(states) == 1)
        for job_id, why in page.invalid:
            note(f"{job_id} is not a valid job: {why}")
        left -= len(page.jobs) + len(page.invalid)
        after, first = page.end, False
        if len(page.jobs) + len(page.invalid) < size or after is None:
            return
    if after is not None and app.manager.page(states, 1, after).end is not None:
        context = click.get_current_context()
        again = context.command_path
        state = f" --state {states[0].value}" if states and not again.startswith("queuectl dlq") else ""
        many = "" if limit == DEFAULT_LIMIT else f" --limit {limit}"
        # Who has not asked for so many may take them for all, a script most of all.
        say = note if context.get_parameter_source("limit") is ParameterSource.DEFAULT else hint
        say(f"More (all with --limit 0): {again}{state}{many} --after {after.score}:{after.job_id}")


def _attempt(job: Job) -> int:
    """Attempts so far, one that is under way included."""
    return job.attempts + (job.state is JobState.PROCESSING)


def _limits(job: Job) -> str:
    given = job.options.given
    resources = [option for option in OPTIONS.values() if option.group == "resources" and given.get(option.name)]
    return ", ".join(
        f"{option.name.replace('_', ' ')} {option.kind.words(given[option.name])}" for option in resources
    )


def _print_objects(page: Page) -> None:
    for job, position in zip(page.jobs, page.positions, strict=True):
        print_json(job_object(job) | {"cursor": f"{position.score}:{position.job_id}"})


def _latest(job: Job) -> float | None:
    return job.next_retry_at or job.finished_at or (job.run and job.run.started_at) or job.created_at


def _result(job: Job) -> str:
    """What its newest attempt came to; nothing where the state says it all, or another attempt is under way."""
    if job.state in (JobState.PROCESSING, JobState.CANCELLED):
        return ""
    return one_line(in_short(job.last.cause, job.last.detail) if job.last else "", LONGEST_RESULT)


def _print_table(jobs: list[Job], first: bool, *, one_state: bool) -> None:
    if not jobs:
        hint("No jobs. Add one with: queuectl enqueue 'echo hello'")
        return
    now = time.time()
    table(
        ["ID", "STATE", "ATTEMPTS", "WHEN", "RESULT", "COMMAND"],
        [
            [
                job.id[:SHORT_ID],
                job.state.value,
                f"{_attempt(job)}/{job.policy.max_retries + 1}",
                ago(
                    job.next_retry_at or job.finished_at or (job.run and job.run.started_at) or job.created_at, now
                ),
                _result(job),
                command_text(job),
            ]
            for job in jobs
        ],
        spare=[*(["STATE"] if one_state else []), "ATTEMPTS", "WHEN"],
        whole=["ID", "STATE"],
    )


@click.command(name="show")
@click.argument("job_id", metavar="ID")
@json_option
@pass_app
def show_command(app: App, job_id: str, as_json: bool) -> None:
    """Show all that is known of one job. ID may be any unique prefix of 4 characters or more.

    \b
    Examples:
      queuectl show 9fa2
      queuectl show 9fa2 --json | jq .exit_code
    """
    job = app.manager.job(job_id)
    if as_json:
        print_json(job_object(job))
        return
    now = time.time()

    def moment(seconds: float | None) -> str:
        if seconds is None:
            return "-"
        passed = ago(seconds, now)
        return f"{timestamp(seconds)} ({passed if passed.startswith('in') else passed + ' ago'})"

    ended = now if job.state is JobState.PROCESSING else job.finished_at  # one that was handed back only waits
    run = job.run
    started_at = run.started_at if run else None
    took = ended - started_at if started_at and ended else None
    logs = reader.attempts(app.settings.home, job.id)
    details = {
        "id": job.id,
        "state": job.state.value,
        "command": command_text(job),
        "run by": "itself" if job.form == EXEC else "/bin/sh -c",
        "directory": job.cwd.decode("utf-8", "surrogateescape"),
        "queue": job.queue,
        "attempts": f"{_attempt(job)} of {job.policy.max_retries + 1}",
        "crashes": str(job.crashes),
        "backoff": f"{job.policy.backoff_base:g} s * {job.policy.backoff_factor:g} ^ retry",
        "timeout": f"{job.options.timeout:g} s" if job.options.timeout else "none",
        "limits": _limits(job) or "none",
        "exit code": "-" if job.exit_code is None else str(job.exit_code),
        "reason": job.reason or "-",
        "created": moment(job.created_at),
        "started": moment(started_at),
        "finished": moment(job.finished_at),
        "took": "-" if took is None else span(took),
        "next retry": moment(job.next_retry_at),
        "worker": (run and run.worker) or "-",
        "host": (run and run.host) or "-",
        "log": str(logs[-1].path) if logs else "-",
    }
    pairs(details)


@click.command(name="cancel")
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@json_option
@pass_app
@click.pass_context
def cancel_command(ctx: click.Context, app: App, job_ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel jobs. One that runs is ended by its worker, on whichever host: SIGTERM, then SIGKILL.

    \b
    Examples:
      queuectl cancel 9fa2
      queuectl list --state pending --limit 0 --json | jq -r .id | xargs queuectl cancel
    """
    code = 0
    for given in job_ids:
        try:
            job_id, answer = app.manager.cancel(given)
        except (JobNotFound, AmbiguousId, RecordInvalid) as error:  # the others are cancelled all the same
            complain(error)
            code = error.exit_code
            continue
        if answer not in ("cancelled", "requested"):
            code = code or 1
        if as_json:
            print_json({"id": job_id, "result": answer})
        elif answer == "requested":
            click.echo(f"{job_id} is running; its worker was told to end it")
        elif answer == "cancelled":
            click.echo(f"{job_id} cancelled")
        else:
            note(f"Job {job_id} is {answer} already.")
    ctx.exit(code)
