"""Finds, lists and runs groups of commands, and handles their errors."""

from __future__ import annotations

import importlib
import shutil
from typing import Any

import click

from queuectl.cli.commands import ALIASES, COMMANDS
from queuectl.cli.verb import Verb, naming
from queuectl.errors import QueuectlError


class Noun(click.Group):
    """A group such as `worker`: its help shows each command's whole first sentence."""

    command_class = Verb

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options of the group."""
        with naming(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the one that was probably meant."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from queuectl.cli.usage import no_such_command

            ctx.fail(no_such_command(args[0], self.list_commands(ctx), ctx.command_path))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands; Click would cut what does not fit into one line."""
        lines = [(name, _first_sentence(self.commands[name])) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(lines)


class Program(Noun):
    """The whole program. Each command lives in its own module, imported when the command is called.

    It turns queuectl's errors into messages and exit codes.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Fit the help to narrow terminals; Click's is at least 50 columns wide."""
        columns = shutil.get_terminal_size().columns
        if columns < 52:
            extra.setdefault("terminal_width", max(columns - 1, 24))
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            from queuectl.cli.usage import explain

            raise click.exceptions.Exit(explain(error)) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of that name."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"queuectl.cli.{COMMANDS[name][0]}")
        command = getattr(module, f"{name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help's list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print our errors instead of raising them."""
        try:
            return super().invoke(ctx)
        except QueuectlError as error:
            from queuectl.cli.screens.messages import complain

            complain(error)
            ctx.exit(error.exit_code)
        except click.UsageError as error:
            from queuectl.cli.usage import explain

            ctx.exit(explain(error))
        except click.Abort:
            from queuectl.cli.screens.messages import note

            note("Nothing was changed.")
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            from queuectl.cli.screens.terminal import give_up_output

            give_up_output()  # the reader has closed the pipe (`queuectl list | head`)
            ctx.exit(0)


def _first_sentence(command: click.Command) -> str:
    paragraph = " ".join((command.help or "").partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].removesuffix(".") + "."
