"""Types of options and arguments with errors in the style of all others."""

from __future__ import annotations

import re
from typing import Any

import click
from click.shell_completion import CompletionItem

from queuectl.errors import InvalidInput
from queuectl.model.lifecycle import JobState
from queuectl.options import values
from queuectl.text import one_line

_CURSOR = re.compile(r"(1:|[23]:-?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?):(.{1,200})")
"""Section of the list, score as the server writes it, and id: see `page.lua`."""


class WholeNumber(click.ParamType):  # type: ignore[type-arg]
    """A whole number between two bounds, which its help omits."""

    name = "number"

    def __init__(self, least: int, most: int = 1_000_000_000) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; InvalidInput names the option."""
        return values.whole_number(_named(param), value, self._least, self._most)


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A duration in seconds, or with a unit, between two bounds."""

    name = "time"

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        return values.seconds(_named(param), value, self._most, least=self._least)


class Cursor(click.ParamType):  # type: ignore[type-arg]
    """The end of a page, as `list --json` printed it."""

    name = "cursor"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the cursor unchanged."""
        match = _CURSOR.fullmatch(str(value))
        if match is None or not match[4].isprintable():
            raise InvalidInput("--after must be a cursor as list --json prints it with each job.")
        return match[0]


class OneOf(click.Choice):  # type: ignore[type-arg]
    """One of some words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word; InvalidInput lists all of them."""
        if value not in self.choices:
            known = ", ".join(map(str, self.choices))
            raise InvalidInput(f"{_named(param)} must be one of {known}, not {one_line(str(value), 40)!r}.")
        return str(value)


class States(click.ParamType):  # type: ignore[type-arg]
    """One state, or several separated by commas."""

    name = "states"
    one = OneOf([state.value for state in JobState])

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[JobState, ...]:
        """Return the states in the order given."""
        return tuple(JobState(self.one.convert(name, param, ctx)) for name in str(value).split(","))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the last state."""
        before, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(before + comma + str(item.value)) for item in self.one.shell_complete(ctx, param, last)
        ]


class JobId(click.ParamType):  # type: ignore[type-arg]
    """An id or its beginning. The shell completes those of recent jobs."""

    name = "id"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the ids that start like this; none if the server can't answer at once."""
        from queuectl.cli.recent import recent_jobs

        return [CompletionItem(job_id, help=line) for job_id, line in recent_jobs(ctx, incomplete)]


def _named(param: click.Parameter | None) -> str:
    """Return an option as it is written, an argument by its name."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return str(param.name) if param is not None else "value"
