"""The command line. Commands translate; managers decide. Each group is loaded only when it is called."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from typing import Any

import click

from queuectl import __version__
from queuectl.cli.app import App
from queuectl.errors import InvalidInput, QueuectlError
from queuectl.handover import take_over

_COMMANDS = {
    "enqueue": ("enqueue", "Add a command to the queue."),
    "run": ("run", "Enqueue a command, follow its output, exit with its code."),
    "list": ("jobs", "List jobs, all or those in one state."),
    "show": ("jobs", "Show all that is known of one job."),
    "cancel": ("jobs", "Cancel jobs, waiting or running, on any host."),
    "logs": ("logs", "Print or follow a job's output."),
    "status": ("status", "Show the whole system: jobs and workers."),
    "worker": ("worker", "Start, stop, resume and list workers."),
    "dlq": ("dlq", "Look at the dead letter queue, retry or clear it."),
    "queue": ("queue", "Clear the queue of pending jobs."),
    "config": ("config", "Show and change retry, backoff and other settings."),
    "fsck": ("fsck", "Check that all records of jobs fit together, and mend them."),
    "server": ("server", "Start, stop and find the embedded server."),
}
"""Command -> its module in this package, and its line in the help."""


class Group(click.Group):
    """A group whose commands live in modules of their own, which are imported when they are called.

    It turns queuectl's errors into their messages and exit codes.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Click's help is at least 50 columns wide; a narrower terminal gets what it can show."""
        columns = shutil.get_terminal_size().columns
        if columns < 52:
            extra.setdefault("terminal_width", max(columns - 1, 24))
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise click.exceptions.Exit(_explain(error)) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order in which a newcomer needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"queuectl.cli.{_COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help's list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            from queuectl.text import one_line

            near = get_close_matches(args[0], _COMMANDS, n=2)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"There is no command {one_line(args[0], 40)!r}.{meant}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print an error of ours instead of raising it."""
        try:
            return super().invoke(ctx)
        except QueuectlError as error:
            from queuectl.cli.output import complain

            complain(error)
            ctx.exit(error.exit_code)
        except click.UsageError as error:
            ctx.exit(_explain(error))
        except KeyboardInterrupt:
            click.echo("", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            # The reader has seen enough (`queuectl list | head`). Python would complain about it once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


def _explain(error: click.UsageError) -> int:
    """Say in two lines what was typed wrongly; gives the exit code."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        error.show()
        return error.exit_code
    from queuectl.cli.output import complain

    path = error.ctx.command_path if error.ctx else "queuectl"
    complain(InvalidInput(error.format_message(), _advice(error) or f"Try: {path} --help"))
    return error.exit_code


def _advice(error: click.UsageError) -> str:
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return ""
    if error.option_name in ("--redis-url", "--namespace", "--insecure-redis"):
        return f"It goes before the command: queuectl {error.option_name} ... {error.ctx.info_name}"
    if error.ctx.info_name in ("enqueue", "run"):
        run = f"queuectl {error.ctx.info_name}"
        return f"If it is the command's, quote all of it, or put -- before it: {run} 'ls -l', {run} -- ls -l"
    return ""


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each command has its own help with examples: queuectl enqueue --help",
)
@click.version_option(__version__, prog_name="queuectl")
@click.option(
    "--redis-url", metavar="URL", help="Server to use: redis://, rediss:// or unix:// (default: embedded)."
)
@click.option("--namespace", metavar="NAME", help="Prefix of all keys, for separate queues (default: queuectl).")
@click.option("--insecure-redis", is_flag=True, help="Use a server in the network that has no password.")
@click.pass_context
def cli(ctx: click.Context, redis_url: str | None, namespace: str | None, insecure_redis: bool) -> None:
    """A durable job queue for shell commands.

    \b
    Examples:
      queuectl enqueue 'make report'       # add a job; prints its id
      queuectl worker start --count 4      # run jobs, four at a time
      queuectl status                      # see how it goes
    """
    handed_over = take_over()
    ctx.obj = App(handed_over if redis_url is None else redis_url, namespace, insecure_redis)


__all__ = ["cli"]
