"""Explains usage errors in the style of all other errors, instead of Click's."""

from __future__ import annotations

from difflib import get_close_matches

import click

from queuectl.cli.command_line import command_line
from queuectl.cli.screens.messages import complain
from queuectl.cli.verb import TooManyWords
from queuectl.errors import InvalidInput
from queuectl.text import one_line

GLOBAL_OPTIONS = ("--redis-url", "--namespace", "--insecure-redis")
CLOSE_ENOUGH = 0.75
"""How similar two names must be to suggest one for the other: `--delay` is no typo of `--help`."""


def explain(error: click.UsageError) -> int:
    """Explain a usage error in two lines; return the exit code."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        error.show()
        return error.exit_code
    words = error.ctx.command_path.partition(" ")[2] if error.ctx else ""
    complain(InvalidInput(_message(error), _advice(error) or f"Try: {command_line(f'{words} --help'.strip())}"))
    return error.exit_code


def no_such_command(name: str, known: list[str], path: str) -> str:
    """Return ``There is no command 'worker stat'. Did you mean start?``"""
    full = " ".join([*path.split()[1:], one_line(name, 40)])
    return f"There is no command {full!r}.{_meant(name, known)}"


def _message(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        known = [option for param in error.ctx.command.params for option in param.opts] if error.ctx else []
        return f"There is no option {one_line(error.option_name, 40)}.{_meant(error.option_name, known)}"
    if isinstance(error, click.MissingParameter):
        return f"{_name(error)} is missing."
    if isinstance(error, click.BadParameter):
        return f"{_name(error)}: {error.message}"
    if isinstance(error, click.BadOptionUsage):
        return f"{one_line(error.option_name, 40)} {'takes no value' if _is_flag(error) else 'needs a value'}."
    if isinstance(error, TooManyWords):
        return f"There is more than the command takes: {one_line(' '.join(error.words), 60)}"
    return error.message


def _is_flag(error: click.BadOptionUsage) -> bool:
    options = error.ctx.command.params if error.ctx else []
    return any(
        isinstance(option, click.Option) and option.is_flag
        for option in options
        if error.option_name in (*option.opts, *option.secondary_opts)
    )


def _name(error: click.BadParameter) -> str:
    param = error.param
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    if param is None:
        return "A value"
    return (param.metavar or (param.name or "").upper()).strip("[].")


def _meant(name: str, known: list[str]) -> str:
    near = get_close_matches(name, [each for each in known if each != "--help"], n=2, cutoff=CLOSE_ENOUGH)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _advice(error: click.UsageError) -> str:
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return ""
    if error.option_name in GLOBAL_OPTIONS:
        return f"It goes before the command: queuectl {error.option_name} ... {error.ctx.info_name}"
    if error.ctx.info_name in ("enqueue", "run"):
        run = f"queuectl {error.ctx.info_name}"
        return f"If it is the command's, quote all of it, or put -- before it: {run} 'ls -l', {run} -- ls -l"
    return ""
