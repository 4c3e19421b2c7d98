"""Fills the tables of the reference from the code, each between ``<!-- table: NAME -->`` and ``<!-- end -->``.

python docs/generate_tables.py            # write them
python docs/generate_tables.py --check    # exit with 1 if one is not up to date
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from queuectl import errors, settings
from queuectl.cli import cli
from queuectl.manager.environment import VARIABLES
from queuectl.model.lifecycle import TRANSITIONS
from queuectl.options import SETTINGS
from queuectl.storage.keys import KEYS

DOCS = Path(__file__).parent
_TABLE = re.compile(r"(<!-- table: (?P<name>[a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = tuple[str, ...]


def _keys() -> Iterator[Row]:
    yield "Key", "Type", "Holds", "Lives until"
    for key in KEYS:
        yield f"`{key.name}`", key.kind, key.holds, key.lives


def _exit_codes() -> Iterator[Row]:
    """Yield the exit codes of all errors, with what each error means."""
    yield "Exit code", "When"
    meanings = defaultdict(list)
    for error in vars(errors).values():
        if inspect.isclass(error) and issubclass(error, errors.QueuectlError) and error is not errors.QueuectlError:
            meanings[error.exit_code].append((error.__doc__ or "").partition("\n\n")[0].replace("\n", " "))
    for code, texts in sorted(meanings.items()):
        yield str(code), " ".join(" ".join(texts).split())


def _queue_settings() -> Iterator[Row]:
    yield "Setting", "`config set`", "Default", "Meaning"
    for name, option in SETTINGS.items():
        yield f"`{name}`", f"`--{name.replace('_', '-')}`", option.kind.text(option.default), option.help


def _machine_settings() -> Iterator[Row]:
    """Yield the local settings, with the docstring that follows each field of `Settings`."""
    yield "File", "Environment", "Option, before the command", "Default", "Meaning"
    defaults = settings.load(environ={"HOME": "/~"})
    options = {name for option in cli.params for name in option.opts}
    for name, meaning in _field_docstrings(settings.Settings):
        if name not in defaults.origins:
            continue
        option = f"--{name.replace('_', '-')}"
        default = getattr(defaults, name)
        text = "`no`" if default is False else f"`{default}`".replace("/~", "~")
        yield (
            f"`{name}`",
            f"`QUEUECTL_{name.upper()}`",
            f"`{option}`" if option in options else "",
            text if default is not None else "the embedded server",
            meaning,
        )


def _field_docstrings(kind: type) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            yield field.target.id, " ".join(str(text.value.value).replace("``", "`").split())


def _job_options() -> Iterator[Row]:
    """Yield the options of `enqueue`, and which of them `run` and `config set` have too."""
    yield "Option", "Meaning", "`run`", "Default in `config set`"
    run, configure = _options("run"), _options("config", "set")
    for name, option in _options("enqueue").items():
        if name == "--json":
            continue
        names = ", ".join(f"`{text}`" for text in sorted(option.opts, key=len))
        value = f" {option.metavar}" if option.metavar else ""
        yes = ["yes" if name in others else "" for others in (run, configure)]
        yield f"{names}{value}", option.help or "", *yes


def _options(*path: str) -> dict[str, click.Option]:
    command: click.Command = cli
    for word in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return {max(option.opts, key=len): option for option in command.params if isinstance(option, click.Option)}


def _variables() -> Iterator[Row]:
    yield ("Variables that travel with a job",)
    yield (", ".join(f"`{name.decode()}`" for name in VARIABLES),)


def _transitions() -> Iterator[Row]:
    yield "State", "Next"
    for state, following in TRANSITIONS.items():
        yield f"`{state}`", ", ".join(f"`{name}`" for name in TRANSITIONS if name in following) or "final"


TABLES: dict[str, Callable[[], Iterator[Row]]] = {
    "keys": _keys,
    "exit codes": _exit_codes,
    "queue settings": _queue_settings,
    "machine settings": _machine_settings,
    "job options": _job_options,
    "variables": _variables,
    "transitions": _transitions,
}


def filled(page: str) -> str:
    """Return the text of a page with its tables filled from the current code."""

    def table(match: re.Match[str]) -> str:
        head, *rows = TABLES[match["name"]]()
        lines = [head, tuple("---" for _ in head), *rows]
        return match[1] + "".join(f"| {' | '.join(line)} |\n" for line in lines) + match[3]

    return _TABLE.sub(table, page)


def main(arguments: list[str]) -> int:
    """Write the tables, or check them; return the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/generate_tables.py [--check]\n")
        return 2
    code = 0
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (current := filled(text)) == text:
            continue
        if arguments:
            sys.stderr.write(f"{page} is not up to date. Run: make docs-update\n")
            code = 1
        else:
            page.write_text(current, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
