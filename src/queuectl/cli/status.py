"""`queuectl status`."""

from __future__ import annotations

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.options import json_option
from queuectl.cli.screens.summary import print_summary
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.verb import Verb
from queuectl.schema.status import status_object


@click.command(cls=Verb, name="status")
@json_option
@pass_app
def status_command(app: App, as_json: bool) -> None:
    """Show the number of jobs in each state, the pace, and which workers are up.

    \b
    Examples:
      queuectl status
      queuectl status --json | jq .jobs.pending

    Workers of short jobs claim a few ahead; those count as waiting. Pace and time left use the last minute.
    """
    status = app.manager.status()
    if as_json:
        print_json(status_object(status))
    else:
        print_summary(status)
