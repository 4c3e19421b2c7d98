"""`queuectl queue`."""

from __future__ import annotations

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.confirm import confirm, yes_option
from queuectl.cli.groups import Noun
from queuectl.cli.options import json_option
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.screens.values import quantity
from queuectl.model.lifecycle import JobState
from queuectl.schema.results import cancelled_object


@click.group(name="queue", cls=Noun)
def queue_command() -> None:
    """The queue of pending jobs.

    \b
    Examples:
      queuectl queue clear
    """


@queue_command.command(name="clear")
@yes_option
@json_option
@pass_app
def clear(app: App, yes: bool, as_json: bool) -> None:
    """Cancel all pending jobs. Leaves running ones, and those waiting for a retry, alone.

    \b
    Examples:
      queuectl queue clear

    The jobs become `cancelled`, and `show` still finds them. Asks first on a terminal, but not in a script.
    """
    count = app.manager.counts()[JobState.PENDING]
    if count:
        # Nothing is lost, so scripts need no --yes; the documented command has none either.
        confirm(f"Cancel {quantity(count, 'pending job')}?", yes=yes, needed=False)
        count = app.manager.clear()
    if as_json:
        print_json(cancelled_object(count))
    else:
        click.echo(f"{quantity(count, 'pending job')} cancelled")
