"""The documentation is true: every command is in it, and every command line in it exists."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from queuectl.cli import cli
from queuectl.errors import QueuectlError
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.model.worker import WorkerInfo
from queuectl.schema.job import job_object
from queuectl.schema.worker import worker_object

ROOT = Path(__file__).parents[2]
ALL_PAGES = ("README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")))
GENERATOR = runpy.run_path(str(ROOT / "docs/generate_cli.py"))
TABLES = runpy.run_path(str(ROOT / "docs/generate_tables.py"))

PLACEHOLDERS = {"<status>": "failed", "<n>": "3", "<b>": "2", "<f>": "3", "<seconds>": "30", "<command>": "true"}
"""What stands for what in the command tables; any other placeholder is an id."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


# The reference ------------------------------------------------------------------------------------


def test_the_reference_is_up_to_date() -> None:
    assert text_of("docs/reference/commands.md") == GENERATOR["render"](), "Run: python docs/generate_cli.py"


@pytest.mark.parametrize("page", ALL_PAGES)
def test_the_tables_on_a_page_are_up_to_date(page: str) -> None:
    assert text_of(page) == TABLES["filled"](text_of(page)), "Run: python docs/generate_tables.py"


def test_every_table_is_on_a_page() -> None:
    text = "".join(map(text_of, ALL_PAGES))

    assert [name for name in TABLES["TABLES"] if f"<!-- table: {name} -->" not in text] == []


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= 150


def all_commands() -> list[tuple[click.Command, str]]:
    return list(GENERATOR["commands"](cli, click.Context(cli, info_name="queuectl")))


@pytest.mark.parametrize(("command", "name"), [pytest.param(*pair, id=pair[1]) for pair in all_commands()])
def test_every_command_is_documented_and_its_help_has_examples(command: click.Command, name: str) -> None:
    assert "Examples:\n" in (command.help or "")
    assert name in (command.help or "")
    assert f"# {name}\n" in text_of("docs/reference/commands.md")


@pytest.mark.parametrize(("command", "name"), [pytest.param(*pair, id=pair[1]) for pair in all_commands()])
def test_every_option_is_explained(command: click.Command, name: str) -> None:
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, f"{name} {option.opts[0]}"


SPECIFIED = """\
queuectl config show
queuectl config set --max-retries <n> --backoff-base <b> --backoff-factor <f>
queuectl config reset
queuectl enqueue "<command>"
queuectl enqueue --timeout <seconds> "<command>"
queuectl list [--state <status>]
queuectl worker start [--count <n>]
queuectl worker stop
queuectl worker resume
queuectl dlq list
queuectl dlq retry <job_id>
queuectl dlq clear
queuectl logs <job_id>
queuectl status
queuectl queue clear
""".splitlines()
"""The commands of the specification, as it writes them."""


@pytest.mark.parametrize("line", SPECIFIED)
def test_the_specified_commands_are_in_the_readme_and_valid(line: str) -> None:
    assert f"| `{line}` |" in text_of("README.md")
    parse(shlex.split(_filled_in(line.removeprefix("queuectl "))))


# Command lines ------------------------------------------------------------------------------------


def command_lines(page: str) -> Iterator[str]:
    """Everything on a page that is shown as a command line of queuectl."""
    text = text_of(page)
    for block in re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            yield from _calls(line.removeprefix("$ "))
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for inline in re.findall(r"`([^`\n]+)`", outside):
        if inline.startswith("queuectl ") or "$(queuectl " in inline:
            yield from _calls(_filled_in(inline))


def _filled_in(line: str) -> str:
    """A line of the command tables with its placeholders replaced and its optional parts taken."""
    line = re.sub(r"<[a-z_]+>", lambda match: PLACEHOLDERS.get(match[0], "9fa2"), line)
    return re.sub(r"\[(--[^\]]*)\]", r"\1", line)


def _calls(line: str) -> Iterator[str]:
    """The calls of queuectl in a line of shell: alone, in a pipe, or within $( )."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&()<>")
    lexer.whitespace_split = True
    words: list[str] | None = None
    for token in [*lexer, ";"]:
        if set(token) <= set("|;&()<>"):
            if words:
                yield shlex.join(words)
            words = None
        elif words is not None:
            words.append(token)
        elif token == "queuectl":
            words = []
        yield from re.findall(r"\$\(queuectl ([^)]*)\)", token)


def parse(words: list[str]) -> None:
    """Parse a command line as the program would, down to the last value. Nothing is run."""
    command: click.Command = cli
    context = click.Context(cli, info_name="queuectl")
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(words)
        if not words:
            return  # an option that ends the program, such as --version
        below = command.get_command(context, words[0])
        if below is None:
            raise click.UsageError(f"no command {words[0]}")
        context = click.Context(below, info_name=words[0], parent=context)
        command, words = below, words[1:]
    try:
        command.make_context(context.info_name, words, parent=context.parent)
    except click.exceptions.Exit:
        pass  # --help


@pytest.mark.parametrize("page", ALL_PAGES)
def test_the_command_lines_on_a_page_are_valid(page: str) -> None:
    names = {name for _, name in all_commands()}
    for line in command_lines(page):
        if f"queuectl {line}" in names:
            continue  # it speaks of the command, and needs no arguments for that
        try:
            parse(shlex.split(line))
        except (click.ClickException, QueuectlError) as error:
            pytest.fail(f"{page}: queuectl {line}\n{error}")


@pytest.mark.parametrize("line", ["lst", "list --statee failed", "list --state nope", "worker begin", "show"])
def test_a_wrong_command_line_would_be_found(line: str) -> None:
    with pytest.raises((click.UsageError, QueuectlError)):
        parse(shlex.split(line))


def test_calls_are_found_in_pipes_and_substitutions() -> None:
    line = (
        """id=$(queuectl enqueue 'a | b') && queuectl show "$id" | jq .x; cli -s "$(queuectl server path)" PING"""
    )

    assert list(_calls(line)) == ["enqueue 'a | b'", "show '$id'", "server path"]


@pytest.mark.parametrize("page", [*ALL_PAGES, "CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(page)):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


# JSON ---------------------------------------------------------------------------------------------


def documented_fields(heading: str) -> list[str]:
    """First column of the table below a heading of docs/reference/json.md."""
    section = text_of("docs/reference/json.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_the_fields_of_a_job_are_documented() -> None:
    job = Job(id="9fa21c07", state=JobState.PENDING, command=b"true")

    assert documented_fields("Job") == list(job_object(job))


def test_the_fields_of_a_worker_are_documented() -> None:
    worker = WorkerInfo("host-1", "idle", "", "host", 1, 0.0, 0.0)

    assert documented_fields("Worker") == list(worker_object(worker))


def test_every_command_with_json_output_is_documented() -> None:
    for command, name in all_commands():
        if any("--json" in option.opts for option in command.params):
            assert f"`{name.removeprefix('queuectl ')}`" in text_of("docs/reference/json.md"), name
