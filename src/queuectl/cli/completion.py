"""`queuectl completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from queuectl.cli.types import OneOf
from queuectl.cli.verb import Verb

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Verb, name="completion")
@click.argument("shell", metavar="bash|zsh|fish", type=OneOf(SHELLS))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and the ids of recent jobs in your shell.

    \b
    Examples:
      queuectl completion bash > ~/.local/share/bash-completion/completions/queuectl
      queuectl completion zsh > ~/.zfunc/_queuectl      # a folder of your $fpath
      queuectl completion fish > ~/.config/fish/completions/queuectl.fish
    """
    of_shell = get_completion_class(shell)
    assert of_shell is not None
    click.echo(of_shell(ctx.find_root().command, {}, "queuectl", "_QUEUECTL_COMPLETE").source())
