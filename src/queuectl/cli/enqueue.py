"""`queuectl enqueue`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.command_line import command_line
from queuectl.cli.enqueue_lines import Addition
from queuectl.cli.lines import read_commands
from queuectl.cli.options import job_options, json_option
from queuectl.cli.screens.messages import note, say_that_it_waits
from queuectl.cli.screens.terminal import is_terminal, print_ids
from queuectl.cli.screens.values import SHORT_ID
from queuectl.cli.verb import Verb
from queuectl.errors import InvalidInput


class CommandWithDashes(Verb):
    """A command that knows whether `--` stood among its arguments: what follows is run without a shell."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the `--`, which Click takes away."""
        ctx.meta["no_shell"] = "--" in args
        return super().parse_args(ctx, args)


def command_bytes(ctx: click.Context, words: tuple[str, ...]) -> bytes | list[bytes]:
    """One quoted string for the shell, or the arguments after `--`."""
    if ctx.meta["no_shell"]:
        return [os.fsencode(word) for word in words]
    if len(words) > 1:
        raise InvalidInput(
            "Give the command as one quoted argument, or put -- before a program and its arguments.",
            f"Like this: queuectl {ctx.info_name} 'wc -l *.csv', or: queuectl {ctx.info_name} -- wc -l data.csv",
        )
    return os.fsencode(words[0])


@click.command(cls=CommandWithDashes, name="enqueue")
@click.argument("words", nargs=-1, metavar="COMMAND", type=click.UNPROCESSED)
@job_options
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Add each line of FILE as a job (- for standard input), skipping blank lines and # comments.",
)
@click.option("--null", "-0", "by_null", is_flag=True, help="With --from: commands end with NUL, not newline.")
@click.option("--wait-for-server", is_flag=True, help="Wait while the server can't be reached, however long.")
@click.option(
    "--durable",
    is_flag=True,
    help="Wait until the job is on the server's disk, and on its replicas (Redis 7.2 or newer, or Valkey).",
)
@json_option
@pass_app
@click.pass_context
def enqueue_command(
    ctx: click.Context,
    app: App,
    /,
    words: tuple[str, ...],
    source: str | None,
    by_null: bool,
    wait_for_server: bool,
    durable: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Add a job to the queue, and print its id.

    \b
    Examples:
      queuectl enqueue 'python report.py > out.txt'
      queuectl enqueue --timeout 30 --max-retries 5 'make check'
      queuectl enqueue --memory 2G --cpu-time 10m './train'
      queuectl enqueue -- rsync -a src/ host:dst/     # no shell
      queuectl enqueue --from commands.txt            # one a line

    A TIME is in seconds, or has a unit: 90s, 10m, 1h30m, 7d. A SIZE is in bytes, or has one: 100k, 512M, 2G
    (powers of 1,024; MB, MiB and the like mean the same).

    The job runs in the current directory, with the worker's environment and this shell's PATH, VIRTUAL_ENV,
    locale and the like (see the documentation). Standard input is not passed to it.
    """
    from queuectl.options import JobOptions

    wishes = JobOptions(**options)
    on_wait = say_that_it_waits if wait_for_server else None
    if source is not None:
        if words:
            raise InvalidInput("Give either a command or --from, not both.")
        addition = Addition(app, _read(source, by_null), wishes, durable=durable, as_json=as_json)
        addition.run(on_wait)
        addition.check_output()
        if addition.counted:
            _say_what_next(app, "status")
    elif words:
        with _named(as_json) as added:
            command = command_bytes(ctx, words)
            app.manager.enqueue(command, wishes, durable=durable, on_added=added.extend, on_wait=on_wait)
        _say_what_next(app, f"logs -f {added[0][:SHORT_ID]}")
    else:
        raise InvalidInput("Give a command.", "Try: queuectl enqueue 'echo hello'")


def _read(source: str, by_null: bool) -> list[bytes]:
    try:
        return read_commands(source, by_null)
    except KeyboardInterrupt:
        click.echo("", err=True)
        note("Interrupted. No job was added.")
        raise


@contextmanager
def _named(as_json: bool) -> Iterator[list[str]]:
    """Give a list for the id of the job that is added. It is printed whatever becomes of the job's durability."""
    added: list[str] = []
    try:
        yield added
    finally:
        if added:
            warn_of_piped_input()
            print_ids(added, as_json=as_json)


def warn_of_piped_input() -> None:
    """Say so if what is piped in will be lost."""
    from queuectl.piped_input import WARNING, is_waiting

    if is_waiting():
        note(WARNING, after="Warning: ")


def _say_what_next(app: App, follow: str) -> None:
    if is_terminal("stderr") and is_terminal():
        if app.workers.are_stopped():
            note("The workers are stopped. Go on with:", command_line("worker resume"))
        elif app.workers.count():
            note("Follow it with:", command_line(follow))
        else:
            note("No worker is running. Start some with:", command_line("worker start --count 2"))
