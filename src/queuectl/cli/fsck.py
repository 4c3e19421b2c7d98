"""`queuectl fsck`."""

from __future__ import annotations

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.options import json_option
from queuectl.cli.screens.messages import note
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.screens.values import quantity
from queuectl.manager import integrity
from queuectl.text import printable


@click.command(name="fsck")
@click.option("--repair", is_flag=True, help="Mend what is found.")
@json_option
@pass_app
@click.pass_context
def fsck_command(ctx: click.Context, app: App, repair: bool, as_json: bool) -> None:
    """Check that all records of jobs fit together. Workers may go on meanwhile.

    \b
    Examples:
      queuectl fsck
      queuectl fsck --repair

    queuectl itself leaves nothing to mend. Something else that wrote to the server may have, or a server that lost
    its last writes. Exit code 1: there is something left to mend, or something that can't be.
    """
    found = left = mendable = 0
    for problem in integrity.check(app.storage, repair=repair):
        found += 1
        mended = repair and problem.mendable
        left += not mended
        mendable += problem.mendable
        if as_json:
            print_json({"id": problem.job_id, "problem": problem.problem, "mended": mended})
        else:
            done = "mended" if mended else "can be mended" if problem.mendable else "can't be mended"
            click.echo(f"{printable(problem.job_id)} {problem.problem} ({done})")
    if not as_json:
        if not found:
            click.echo("All records fit together.")
        elif mendable and not repair:
            note(f"{quantity(mendable, 'problem')} can be mended with: queuectl fsck --repair")
        if left and (repair or not mendable):
            note(f"{quantity(left, 'problem')} can't be mended: something other than queuectl wrote these records.")
    ctx.exit(1 if left else 0)
