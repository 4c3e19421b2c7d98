"""`queuectl fsck`."""

from __future__ import annotations

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.command_line import command_line
from queuectl.cli.options import json_option
from queuectl.cli.screens.messages import note
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.screens.values import quantity
from queuectl.cli.verb import Verb
from queuectl.manager import integrity
from queuectl.schema.results import problem_object
from queuectl.text import printable


@click.command(cls=Verb, name="fsck")
@click.option("--repair", is_flag=True, help="Repair the problems found.")
@json_option
@pass_app
@click.pass_context
def fsck_command(ctx: click.Context, app: App, repair: bool, as_json: bool) -> None:
    """Check that all job records are consistent. Workers can keep running.

    \b
    Examples:
      queuectl fsck
      queuectl fsck --repair

    queuectl itself causes no problems. Other programs that write to the server can, and so can a server that lost
    its last writes. Exit code 1: a problem was found and not repaired.
    """
    found = left = repairable = 0
    for problem in integrity.check(app.storage, repair=repair):
        found += 1
        repaired = repair and problem.repairable
        left += not repaired
        repairable += problem.repairable
        if as_json:
            print_json(problem_object(problem, repaired=repaired))
        else:
            done = "repaired" if repaired else "can be repaired" if problem.repairable else "can't be repaired"
            click.echo(f"{printable(problem.job_id)} {problem.problem} ({done})")
    if not as_json:
        if not found:
            click.echo("All records fit together.")
        elif repairable and not repair:
            note(f"{quantity(repairable, 'problem')} can be repaired with:", command_line("fsck --repair"))
        if left and (repair or not repairable):
            note(
                f"{quantity(left, 'problem')} can't be repaired: another program than queuectl wrote these records."
            )
    ctx.exit(1 if left else 0)
