"""`queuectl cancel`."""

from __future__ import annotations

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.each import each_id
from queuectl.cli.options import json_option
from queuectl.cli.screens.messages import note
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.types import JobId
from queuectl.cli.verb import Verb
from queuectl.model.cause import UNKILLABLE
from queuectl.schema.results import result_object

_DONE = {
    "cancelled": "cancelled",
    "requested": "is running; its worker was told to stop it",
    UNKILLABLE: "is running, and its worker can't kill it; it runs until its processes exit",
}
"""What was done -> the message about the job."""


@click.command(cls=Verb, name="cancel")
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, type=JobId())
@json_option
@pass_app
@click.pass_context
def cancel_command(ctx: click.Context, app: App, job_ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel jobs. A running job is stopped by its worker, on any host: SIGTERM, then SIGKILL.

    \b
    Examples:
      queuectl cancel 9fa2
      queuectl list --state pending --limit 0 --json | jq -r .id | xargs -r queuectl cancel
    """

    def cancel(given: str) -> int:
        job_id, answer = app.manager.cancel(given)
        if as_json:
            print_json(result_object(job_id, answer))
        elif answer in _DONE:
            click.echo(f"{job_id} {_DONE[answer]}")
        else:
            note(f"Job {job_id} is {answer} already.")
        return 0 if answer in _DONE else 1

    ctx.exit(each_id(job_ids, cancel))
