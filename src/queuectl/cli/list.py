"""`queuectl list`, and the paging of long lists."""

from __future__ import annotations

import time
from itertools import chain

import click
from click.core import ParameterSource

from queuectl.cli.app import App, pass_app
from queuectl.cli.command_line import command_line
from queuectl.cli.options import json_option
from queuectl.cli.screens.jobs import JobsTable
from queuectl.cli.screens.messages import hint, note
from queuectl.cli.screens.terminal import print_json
from queuectl.cli.types import Cursor, States, WholeNumber
from queuectl.cli.verb import Verb
from queuectl.manager.queue_manager import LARGEST_PAGE
from queuectl.model.lifecycle import JobState
from queuectl.schema.job import listed_object

DEFAULT_LIMIT = 50

limit_option = click.option(
    "--limit",
    "-n",
    type=WholeNumber(0),
    default=DEFAULT_LIMIT,
    metavar="N",
    help=f"Jobs to list; 0 for all (default: {DEFAULT_LIMIT}).",
)
after_option = click.option("--after", type=Cursor(), metavar="CURSOR", help="Continue after a page of --json.")


@click.command(cls=Verb, name="list")
@click.option(
    "--state",
    "groups",
    type=States(),
    multiple=True,
    metavar="STATE[,STATE]...",
    help=f"Only jobs in these states: {', '.join(JobState)}. Repeatable.",
)
@limit_option
@after_option
@json_option
@pass_app
def list_command(
    app: App, groups: tuple[tuple[JobState, ...], ...], limit: int, after: str | None, as_json: bool
) -> None:
    """List jobs: running ones first, then those waiting for a retry, then the latest changes.

    If no finished jobs are listed, pending ones appear in the order in which they wait.

    \b
    Examples:
      queuectl list
      queuectl list --state failed,dead
      queuectl list --json --limit 0 | jq -r .command

    RESULT says how the newest attempt failed: its exit code, a timeout, a limit, a signal, or its worker's death. A
    `failed` job will be retried; a `dead` one will not.
    """
    print_pages(app, list(dict.fromkeys(chain(*groups))), limit, after, as_json)


def print_pages(app: App, states: list[JobState], limit: int, cursor: str | None, as_json: bool) -> None:
    """List up to ``limit`` jobs (0: all) after ``cursor``, a chunk at a time."""
    if cursor and not as_json:
        raise click.UsageError("--after goes with --json.")
    table = JobsTable(one_state=len(states) == 1, pages=not 0 < limit <= LARGEST_PAGE)
    left, shown, after = limit or float("inf"), 0, cursor or ""
    while left > 0:
        size = int(min(left, LARGEST_PAGE))
        page = app.manager.page(states, size, after)
        if as_json:
            for job, place in zip(page.jobs, page.cursors, strict=True):
                print_json(listed_object(job, place))
        elif page.jobs:
            table.print(page.jobs, time.time())
        for job_id, why in page.invalid:
            note(f"{job_id} is not a valid job: {why}")
        found = len(page.jobs) + len(page.invalid)
        shown, left, after = shown + found, left - found, page.end
        if found < size:
            break
    if not shown:
        _say_what_there_is(app, states)
    elif left <= 0:
        _say_how_to_go_on(app, states, shown, limit, after, as_json)


def _say_what_there_is(app: App, states: list[JobState]) -> None:
    """Tell a person who finds nothing in one state where the jobs are."""
    there = {state.value: count for state, count in app.manager.counts().items() if count}
    if not there:
        hint("No jobs. Add one with:", command_line("enqueue 'echo hello'"))
        return
    wanted = " or ".join(state.value for state in states) or "listed"
    other = ", ".join(f"{count:,} {state}" for state, count in there.items())
    # A person who looks for failed jobs usually means those that failed for good.
    likely = JobState.DEAD.value if JobState.DEAD.value in there else next(iter(there))
    hint(f"No job is {wanted}. In the queue: {other}. See:", command_line(f"list --state {likely}"))


def _say_how_to_go_on(app: App, states: list[JobState], shown: int, limit: int, after: str, as_json: bool) -> None:
    if not app.manager.page(states, 1, after).end:
        return  # that was the last page
    context = click.get_current_context()
    words = context.command_path.partition(" ")[2]
    if not words.startswith("dlq"):
        words += f" --state {','.join(states)}" if states else ""
    # A reader, and above all a script, may take a page for the whole list unless it asked for a page.
    say = note if context.get_parameter_source("limit") is ParameterSource.DEFAULT else hint
    if as_json:
        many = "" if limit == DEFAULT_LIMIT else f" --limit {limit}"
        again = command_line(f"{words} --json{many} --after {after}")
        say("More (all with --limit 0):", again)
    else:
        counts = app.manager.counts()
        total = sum(count for state, count in counts.items() if not states or state in states)
        say(f"Showing {shown:,} of {total:,}. All of them:", command_line(f"{words} --limit 0"))
