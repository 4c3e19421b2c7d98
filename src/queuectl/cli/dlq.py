"""`queuectl dlq`: the dead letter queue."""

from __future__ import annotations

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.confirm import confirm, yes_option
from queuectl.cli.each import each_id
from queuectl.cli.groups import Noun
from queuectl.cli.list import after_option, limit_option, print_pages
from queuectl.cli.options import json_option
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.screens.values import quantity
from queuectl.cli.types import JobId
from queuectl.model.lifecycle import JobState
from queuectl.schema.results import removed_object, result_object, retried_object


@click.group(name="dlq", cls=Noun)
def dlq_command() -> None:
    """Jobs that failed for good: they used up their retries, or kept killing their workers.

    \b
    Examples:
      queuectl dlq list
      queuectl dlq retry 9fa2
      queuectl dlq retry --all
    """


@dlq_command.command(name="list")
@limit_option
@after_option
@json_option
@pass_app
def list_dead(app: App, limit: int, after: str | None, as_json: bool) -> None:
    """List the dead jobs, the newest first.

    \b
    Examples:
      queuectl dlq list
      queuectl dlq list --limit 0 --json | jq -r .reason

    RESULT says how the last attempt failed: its exit code, a timeout, a limit, a signal, or its worker's death.
    """
    print_pages(app, [JobState.DEAD], limit, after, as_json)


@dlq_command.command(name="retry")
@click.argument("job_ids", metavar="[ID]...", nargs=-1, type=JobId())
@click.option("--all", "every", is_flag=True, help="All dead jobs.")
@json_option
@pass_app
@click.pass_context
def retry(ctx: click.Context, app: App, job_ids: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Put dead jobs back into the queue, with all their retries.

    \b
    Examples:
      queuectl dlq retry 9fa2
      queuectl dlq retry --all
    """
    if every == bool(job_ids):
        raise click.UsageError("Give the id of a dead job, or --all.")
    if every:
        count = app.dead_letter.retry_all()
        if as_json:
            print_json(retried_object(count))
        else:
            click.echo(f"{quantity(count, 'job')} put back into the queue")
        return

    def put_back(given: str) -> int:
        job_id = app.dead_letter.retry(given)
        if as_json:
            print_json(result_object(job_id, JobState.PENDING.value))
        else:
            click.echo(f"{job_id} put back into the queue")
        return 0

    ctx.exit(each_id(job_ids, put_back))


@dlq_command.command(name="clear")
@yes_option
@json_option
@pass_app
def clear(app: App, yes: bool, as_json: bool) -> None:
    """Remove all dead jobs and their logs, for good.

    \b
    Examples:
      queuectl dlq clear
      queuectl dlq clear --yes      # without a terminal to ask on
    """
    count = app.dead_letter.count()
    if count:
        confirm(f"Remove {quantity(count, 'dead job')} and all their logs?", yes=yes)
        count = app.dead_letter.clear()
    if as_json:
        print_json(removed_object(count))
    else:
        click.echo(f"{quantity(count, 'dead job')} removed")
