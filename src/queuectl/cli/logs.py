"""`queuectl logs`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.options import json_option
from queuectl.cli.screens.messages import hint, note
from queuectl.cli.screens.terminal import is_terminal, print_json
from queuectl.cli.screens.values import SHORT_ID, ago
from queuectl.errors import JobNotFound, QueuectlError, ServerUnreachable
from queuectl.host import host_name
from queuectl.logs import reader
from queuectl.logs.follower import LogFollower
from queuectl.model.cause import CRASH
from queuectl.model.job import Job
from queuectl.model.lifecycle import FINAL, JobState
from queuectl.storage.watcher import Watcher
from queuectl.text import TerminalFilter

FOLLOW_SECONDS = 0.1
"""Between two looks at a log that is followed."""


@click.command(name="logs")
@click.argument("job_id", metavar="ID")
@click.option("--follow", "-f", is_flag=True, help="Go on until the job is over.")
@click.option(
    "--attempt", "-a", type=click.IntRange(1), metavar="N", help="The output of attempt N (default: newest)."
)
@click.option("--all", "every", is_flag=True, help="The output of every attempt, with a heading each.")
@click.option("--tail", "-n", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--raw", is_flag=True, help="On a terminal: don't take control characters out.")
@json_option
@pass_app
def logs_command(
    app: App,
    job_id: str,
    follow: bool,
    attempt: int | None,
    every: bool,
    tail: int | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Print what a job wrote to its stdout and stderr.

    \b
    Examples:
      queuectl logs 9fa2
      queuectl logs 9fa2 --follow
      queuectl logs 9fa2 --attempt 1 --tail 20

    Into a file or a pipe the bytes go exactly as they are; on a terminal control characters are taken out.
    """
    job = app.manager.job(job_id)
    home = app.settings.home
    if as_json:
        for log in reader.attempts(home, job.id):
            print_json(
                {"id": job.id, "attempt": log.attempt, "fence": log.fence, "path": str(log.path), "bytes": log.size}
            )
        return
    out = Output(raw)
    if follow:
        if every or tail is not None:
            raise click.UsageError(
                "--follow shows everything from the start: it goes with neither --all nor --tail."
            )
        follow_job(app, job.id, out, attempt=attempt)
        return
    logs = [log for log in reader.attempts(home, job.id) if attempt in (None, log.attempt)]
    if not logs:
        _say_why_none(app, job, attempt)
        return
    for log in logs if every else logs[-1:]:
        if every:
            note(f"--- attempt {log.attempt} (run {log.fence}) ---")
        out.write_all(reader.read(home, job.id, fence=log.fence, last_lines=tail))


class Output:
    """Standard output for a job's bytes: exact in a pipe, without control characters on a terminal."""

    def __init__(self, raw: bool) -> None:
        self._filter = TerminalFilter() if is_terminal() and not raw else None

    def write(self, data: bytes) -> None:
        """Print now."""
        if self._filter is not None:
            data = self._filter.clean(data)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def write_all(self, chunks: Iterable[bytes]) -> None:
        """Print all of it."""
        for chunk in chunks:
            self.write(chunk)


def follow_job(
    app: App,
    job_id: str,
    out: Output,
    *,
    attempt: int | None = None,
    from_first: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
    writes_here: Callable[[Job], bool] = lambda job: False,
) -> None:
    """Print a job's output as it comes, until the job is over.

    That of ``attempt``; else of the newest attempt and all later ones, or of all ``from_first``.
    ``meanwhile`` is called about ten times a second. ``writes_here`` tells whether a job's output is certain to
    be found here, so that there was none if there is none.
    """
    follower = LogFollower(app.settings.home, job_id, attempt, from_first=from_first)
    watcher = Watcher(app.settings, job_id)
    retries = Retries(app, job_id)
    run = heard = 0
    try:
        state = watcher.wait(0)
        while True:
            while data := follower.read_new():
                if run and follower.fence != run:
                    retries.tell(before=follower.attempt)
                    hint(f"--- attempt {follower.attempt} ---")
                run = follower.fence
                out.write(data)
            if state is not None:
                break
            if watcher.failures != heard:
                heard = watcher.failures
                retries.tell()
            meanwhile()
            state = watcher.wait(FOLLOW_SECONDS)
    finally:
        watcher.close()
    job = app.manager.job(job_id)
    if follower.left_out:
        note(f"{follower.left_out:,} bytes of its output are missing here: more came than a log keeps.")
    if not follower.attempt and not writes_here(job):
        _say_why_none(app, job, attempt)
    if job.state is not JobState.COMPLETED:
        note(f"Job {job.id[:SHORT_ID]} is {job.state.value}: {job.reason}")


class Retries:
    """Tells a person how an attempt went wrong and when the next one follows, each once."""

    def __init__(self, app: App, job_id: str) -> None:
        self._app = app
        self._job_id = job_id
        self._told = (0, 0)

    def tell(self, before: int | None = None) -> None:
        """Look at the job, and tell what is new of it: only of attempts before this one, if it is given."""
        if not is_terminal("stderr"):
            return
        try:
            job = self._app.manager.job(self._job_id)
        except (ServerUnreachable, JobNotFound):
            return  # the job's watcher deals with it
        ended = (job.attempts, job.crashes)
        if ended == self._told or job.state in FINAL or (before is not None and job.attempts >= before):
            return
        self._told = ended
        if job.last is not None and job.last.cause == CRASH:
            hint(f"Its worker died ({job.crashes} of 5); it is run again")
        else:
            hint(f"Attempt {job.attempts} of {job.policy.max_retries + 1} failed: {job.reason}; retry {_next(job)}")


def _next(job: Job) -> str:
    now, due = time.time(), job.next_retry_at
    return ago(due, now) if due is not None and due > now else "now"


def _say_why_none(app: App, job: Job, attempt: int | None) -> None:
    if attempt is not None and attempt > job.attempts + (job.state is JobState.PROCESSING):
        raise QueuectlError(f"Job {job.id} has had no attempt {attempt}.", f"See: queuectl show {job.id[:8]}")
    run = job.run
    if run and run.host and run.host != host_name():
        note(f"Job {job.id} ran on host {run.host}; its log is there.")
    elif job.attempts == 0 and (run is None or run.started_at is None):
        hint(f"Job {job.id} has not run yet: it is {job.state.value}.")
    else:
        folder = os.path.join(app.settings.home, "logs")
        hint(
            f"There is no output of job {job.id[:SHORT_ID]} in {folder}."
            f" It wrote nothing, or its worker {run.worker if run else '?'} has another state folder."
        )
