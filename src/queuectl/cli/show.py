"""`queuectl show`."""

from __future__ import annotations

import time

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.each import each_id
from queuectl.cli.options import json_option
from queuectl.cli.screens.jobs import job_details
from queuectl.cli.screens.table import pairs
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.types import JobId
from queuectl.cli.verb import Verb
from queuectl.logs import reader
from queuectl.schema.job import job_object


@click.command(cls=Verb, name="show")
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, type=JobId())
@json_option
@pass_app
@click.pass_context
def show_command(ctx: click.Context, app: App, job_ids: tuple[str, ...], as_json: bool) -> None:
    """Show everything known about jobs. ID may be any unique prefix of 4 characters or more.

    \b
    Examples:
      queuectl show 9fa2
      queuectl show 9fa2 31bc
      queuectl show 9fa2 --json | jq .exit_code

    Empty and default values are not shown; --json has everything.
    """
    shown = False

    def show(given: str) -> int:
        nonlocal shown
        job = app.manager.job(given)
        if as_json:
            print_json(job_object(job))
            return 0
        if shown:
            click.echo()
        logs = reader.attempts(app.settings.home, job.id)
        pairs(job_details(job, time.time(), str(logs[-1].path) if logs else None))
        shown = True
        return 0

    ctx.exit(each_id(job_ids, show))
