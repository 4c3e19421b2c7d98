"""How things look: JSON for programs, tables and colours for people, and clean text for every terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from queuectl.model.command import EXEC
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.options import OPTIONS
from queuectl.text import LINE_BREAK, LINE_BREAK_PLAIN, columns, one_line, pad, printable

if TYPE_CHECKING:
    from queuectl.errors import QueuectlError
    from queuectl.model.worker import WorkerInfo

SHORT_ID = 8
NARROWEST = 6
LONGEST_ERROR = 1_000
COLOURS = {
    "pending": "cyan",
    "processing": "blue",
    "completed": "green",
    "failed": "yellow",
    "dead": "red",
    "cancelled": "magenta",
}


# Where it goes ------------------------------------------------------------------------------------


def is_terminal(stream: str = "stdout") -> bool:
    """Whether a person is at that end."""
    try:
        return bool(getattr(sys, stream).isatty())
    except (AttributeError, ValueError):  # closed
        return False


def print_json(value: Any) -> None:
    """One object on one line. Bytes that are no text are escaped surrogates, as in Python's os.fsdecode."""
    import json

    click.echo(json.dumps(value))


def note(text: str, *, after: str = "") -> None:
    """A message for a person: on stderr, behind the red word ``after``, wrapped to a terminal's width."""
    lines = _fitted(after + printable(text), "stderr")
    click.echo("\n".join([style(after, "red", err=True) + lines[0].removeprefix(after), *lines[1:]]), err=True)


def say(text: str) -> None:
    """A sentence that is part of what was asked for: on stdout, wrapped to a terminal's width."""
    click.echo("\n".join(_fitted(printable(text), "stdout")))


def hint(text: str) -> None:
    """A friendly word that only a person at a terminal wants."""
    if is_terminal("stderr"):
        note(text)


def complain(error: QueuectlError) -> None:
    """An error: what, why, and what to type next."""
    note(_shortened(error.message), after="Error: ")
    if error.hint:
        note(_shortened(error.hint))


def _fitted(text: str, stream: str) -> list[str]:
    """Lines that a terminal shows whole; one line where there is none. No word is broken: it may be copied."""
    width = shutil.get_terminal_size().columns
    if not is_terminal(stream) or len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _shortened(text: str) -> str:
    """Without its middle, if it quotes a value that nobody would read to the end."""
    return text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 200]} … {text[-200:]}"


def style(text: str, colour: str | None, *, err: bool = False, bold: bool = False) -> str:
    """Coloured text on a terminal, plain text elsewhere or with NO_COLOR."""
    if os.environ.get("NO_COLOR") or not is_terminal("stderr" if err else "stdout"):
        return text
    return click.style(text, fg=colour, bold=bold)


# Values -------------------------------------------------------------------------------------------


def timestamp(seconds: float | None) -> str | None:
    """UTC, RFC 3339, milliseconds."""
    if seconds is None:
        return None
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def span(seconds: float) -> str:
    """A length of time in its one or two largest units: 0.4s, 12s, 3m05s, 2h10m, 4d3h."""
    seconds = abs(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{unit}" + (f"{rest:02d}{smaller}" if rest else "")
    return f"{whole}s"


def quantity(count: int, noun: str) -> str:
    """``1 job``, ``1,200 jobs``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def ago(moment: float | None, now: float) -> str:
    """How long ago, or how long until."""
    if moment is None:
        return "-"
    return f"in {span(moment - now)}" if moment > now else span(now - moment)


def command_text(job: Job) -> str:
    """The command as one would type it; bytes that are no text as surrogates."""
    if job.form == EXEC:
        import shlex

        return shlex.join(os.fsdecode(argument) for argument in job.command.split(b"\0"))
    return job.command.decode("utf-8", "surrogateescape")


def job_object(job: Job) -> dict[str, Any]:
    """A job as JSON has it: the documented names, in a stable order."""
    run = job.run
    options = {
        name: (value or None) if OPTIONS[name].unlimited else value for name, value in job.options.values().items()
    }
    limits = {name: options.pop(name) for name, option in OPTIONS.items() if option.group == "resources"}
    return {
        "id": job.id,
        "state": job.state.value,
        "status": job.state.value,
        "command": command_text(job),
        "shell": job.form != EXEC,
        "queue": job.queue,
        "attempts": job.attempts,
        "crashes": job.crashes,
        **options,
        "limits": limits,
        "cwd": job.cwd.decode("utf-8", "surrogateescape"),
        "exit_code": job.exit_code,
        "cause": job.last.cause if job.last else "",
        "reason": job.reason,
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(run.started_at if run else None),
        "finished_at": timestamp(job.finished_at),
        "next_retry_at": timestamp(job.next_retry_at),
        "worker": (run and run.worker) or None,
        "host": (run and run.host) or None,
        "fence": job.fence,
    }


def worker_object(worker: WorkerInfo) -> dict[str, Any]:
    """A worker as JSON has it."""
    return {
        "name": worker.name,
        "status": worker.status,
        "job": worker.job or None,
        "host": worker.host,
        "pid": worker.pid,
        "started_at": timestamp(worker.started_at),
        "heartbeat": timestamp(worker.heartbeat),
    }


def state_text(state: JobState | str, width: int = 0) -> str:
    """A state's name in its colour."""
    name = str(state.value if isinstance(state, JobState) else state)
    return style(name.ljust(width), COLOURS.get(name))


# Tables -------------------------------------------------------------------------------------------


def terminal_width() -> int:
    """Columns of the terminal; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns if is_terminal() else _width_without_terminal()


def _width_without_terminal() -> int:
    try:
        return max(0, int(os.environ.get("COLUMNS", ""))) or 200
    except ValueError:
        return 200


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    spare: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Columns as wide as their contents, if the terminal has the room.

    If it hasn't, the columns named in ``spare`` go first, in that order; then the widest is cut until all fit,
    one of ``whole`` only once the others are as narrow as can be.
    Cells may hold hostile text; it is cleaned here.
    """
    mark = _line_break()
    lines = [list(headings), *([one_line(cell, line_break=mark) for cell in row] for row in rows)]
    widths = [max(columns(line[at]) for line in lines) for at in range(len(headings))]
    kept = list(range(len(headings)))
    room = terminal_width()

    def total() -> int:
        return sum(widths[at] + 2 for at in kept) - 2

    for name in spare:
        # A command of 20 characters says enough to be worth a column of lesser things.
        if total() - max(0, widths[kept[-1]] - 20) > room:
            kept.remove(headings.index(name))
    widths = [min(width, max(room, NARROWEST)) for width in widths]
    for cut in ([at for at in kept if headings[at] not in whole], kept):
        while total() > room and max(widths[at] for at in cut) > NARROWEST:
            widths[max(cut, key=lambda at: widths[at])] -= 1
    for number, line in enumerate(lines):
        cells = [pad(one_line(line[at], widths[at]), widths[at] if at != kept[-1] else 0) for at in kept]
        text = "  ".join(style(cell, COLOURS.get(cell.strip())) for cell in cells)
        click.echo(style(text, None, bold=True) if number == 0 else text)


def _line_break() -> str:
    try:
        LINE_BREAK.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return LINE_BREAK_PLAIN
    return LINE_BREAK


def pairs(values: Mapping[str, str]) -> None:
    """Names and values, aligned; long values go on in the next line, a command's own lines in theirs."""
    indent = max(map(len, values)) + 2
    room = max(16, terminal_width() - indent)
    for name, value in values.items():
        lines = [part for line in value.split("\n") for part in _wrapped(printable(line), room)]
        click.echo(f"{style(name.ljust(indent), None, bold=True)}{style(lines[0], COLOURS.get(lines[0]))}")
        for line in lines[1:]:
            click.echo(" " * indent + line)


def _wrapped(text: str, width: int) -> list[str]:
    if columns(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(text, width, drop_whitespace=False, break_on_hyphens=False) or [""]
