"""`queuectl help`."""

from __future__ import annotations

import click

from queuectl.cli.verb import Verb


@click.command(cls=Verb, name="help")
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def help_command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command, or the list of all commands.

    \b
    Examples:
      queuectl help
      queuectl help worker start
    """
    assert ctx.parent is not None
    context = ctx.parent
    for word in words:
        group = context.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"{context.command_path} has no subcommands.", context)
        name, command, _ = group.resolve_command(context, [word])
        assert command is not None
        context = command.context_class(command, info_name=name, parent=context, **command.context_settings)
    click.echo(context.get_help())
