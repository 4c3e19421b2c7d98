"""Writes docs/reference/commands.md, the reference of the command line, from the commands themselves.

    python docs/generate_cli.py            # write it
    python docs/generate_cli.py --check    # exit with 1 if it is not up to date

We lay out the text here instead of using Click, so that every version of Click gives the same page.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from queuectl.cli import cli

PAGE = Path(__file__).with_name("reference") / "commands.md"
WIDTH = 80

PREFACE = """\
# Command-line reference

<!-- Written by docs/generate_cli.py from the help texts: change those. -->

Every command has `-h` and `--help`. An ID may be shortened to any unique prefix
of 4 characters or more. See also [exit codes](exit-codes.md),
[configuration](configuration.md), and the objects that `--json` prints: [JSON](json.md).
"""


def render() -> str:
    """Return the whole page."""
    context = click.Context(cli, info_name="queuectl")
    sections = [PREFACE, *(_section(command, name) for command, name in commands(cli, context))]
    return "\n".join(sections)


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, str]]:
    """Yield the group and all commands below it, each with its full name."""
    yield group, context.command_path
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue
        below = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from commands(command, below)
        else:
            yield command, below.command_path


def _section(command: click.Command, name: str) -> str:
    level = "##" if isinstance(command, click.Group) or name.count(" ") < 2 else "###"
    parts = [f"{level} {name}", _fenced("text", _usage(command, name)), *_help(command)]
    rows = [_row(option) for option in command.params if isinstance(option, click.Option) and not option.hidden]
    if rows:
        parts.append(_fenced("text", "\n".join(_aligned(rows))))
    return "\n\n".join(parts) + "\n"


def _usage(command: click.Command, name: str) -> str:
    words = [name, "[OPTIONS]"]
    if isinstance(command, click.Group):
        words.append("COMMAND [ARGS]...")
    words += [
        argument.metavar or (argument.name or "").upper()
        for argument in command.params
        if isinstance(argument, click.Argument)
    ]
    return " ".join(words)


def _help(command: click.Command) -> Iterator[str]:
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            heading, _, lines = paragraph.removeprefix("\b\n").partition("\n")
            yield f"{heading}\n\n{_fenced('sh', textwrap.dedent(lines))}"
        else:
            yield textwrap.fill(" ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def _row(option: click.Option) -> tuple[str, str]:
    """Return how the option is written, and what it does."""
    names = ", ".join(sorted(option.opts, key=len))
    if option.secondary_opts:
        names += " / " + ", ".join(sorted(option.secondary_opts, key=len))
    if option.metavar:
        names += f" {option.metavar}"
    elif isinstance(option.type, click.Choice):
        names += " STATE" if option.name == "state" else " CHOICE"
    text = option.help or ""
    if isinstance(option.type, click.Choice):
        text += " One of: " + ", ".join(map(str, option.type.choices)) + "."
    if option.show_default is True:
        text += f" Default: {option.default}."
    return names, text


def _aligned(rows: list[tuple[str, str]]) -> Iterator[str]:
    indent = min(max(len(names) for names, _ in rows), 28) + 2
    for names, text in rows:
        first, *more = textwrap.wrap(text, WIDTH - indent, break_long_words=False, break_on_hyphens=False) or [""]
        if len(names) + 2 > indent:
            yield names
            yield " " * indent + first
        else:
            yield names.ljust(indent) + first
        yield from (" " * indent + line for line in more)


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def main(arguments: list[str]) -> int:
    """Write the page, or check it; return the exit code."""
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == render():
            return 0
        sys.stderr.write(f"{PAGE} is not up to date. Run: python docs/generate_cli.py\n")
        return 1
    if arguments:
        sys.stderr.write("usage: python docs/generate_cli.py [--check]\n")
        return 2
    PAGE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
