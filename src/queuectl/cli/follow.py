"""Follows jobs until all are over: prints their output as it comes, and tells a person about failed attempts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

from queuectl.cli.app import App
from queuectl.cli.no_output import say_why_none
from queuectl.cli.screens.messages import hint, note, say_that_it_waits
from queuectl.cli.screens.terminal import is_terminal
from queuectl.cli.screens.values import SHORT_ID, ago
from queuectl.errors import QueuectlError
from queuectl.logs.follower import LogFollower
from queuectl.manager.watch import Watch
from queuectl.model.cause import CRASH
from queuectl.model.job import Job
from queuectl.model.lifecycle import FINAL, MAX_CRASHES, JobState
from queuectl.text import TerminalFilter
from queuectl.worker.options import DEFAULT_LEASE_SECONDS

FOLLOW_SECONDS = 0.1
"""Pause between two reads of a log that is followed."""


class Output:
    """Standard output for jobs' bytes: unchanged in a pipe, without control characters on a terminal.

    ``headings``: print a heading when the output changes to another job, like `tail`.
    """

    def __init__(self, raw: bool, *, headings: bool = False) -> None:
        self._filter = TerminalFilter() if is_terminal() and not raw else None
        self._headings = headings
        self._job_id = ""

    def begin(self, job_id: str) -> None:
        """Note that the following output is this job's."""
        if self._headings and job_id != self._job_id:
            before = "\n" if self._job_id else ""
            sys.stdout.buffer.write(f"{before}==> {job_id[:SHORT_ID]} <==\n".encode())
            sys.stdout.buffer.flush()
        self._job_id = job_id

    def write(self, data: bytes) -> None:
        """Print immediately."""
        if self._filter is not None:
            data = self._filter.clean(data)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def write_all(self, chunks: Iterable[bytes]) -> None:
        """Print all chunks."""
        for chunk in chunks:
            self.write(chunk)


class Following:
    """One of the jobs that ``watch`` follows. ``state`` is its final state once it is over, else None."""

    def __init__(
        self,
        app: App,
        watch: Watch,
        job_id: str,
        out: Output,
        *,
        attempt: int | None = None,
        from_first: bool = False,
        last_lines: int | None = None,
    ) -> None:
        self._app = app
        self._watch = watch
        self._job_id = job_id
        self._out = out
        self._attempt = attempt
        self._follower = LogFollower(
            app.settings.home, job_id, attempt, from_first=from_first, last_lines=last_lines
        )
        self._retries = Retries(app, job_id)
        self._run = self._failures = 0

    @property
    def state(self) -> JobState | None:
        return self._watch.ended(self._job_id)

    def show_new(self) -> None:
        """Print what is new; print everything left if the last wait found that the job was over."""
        while data := self._follower.read_new():
            if self._run and self._follower.fence != self._run:
                self._retries.tell(before=self._follower.attempt)
                hint(f"--- attempt {self._follower.attempt} ---")
            self._run = self._follower.fence
            self._out.begin(self._job_id)
            self._out.write(data)
        failures = self._watch.failures[self._job_id]
        if self.state is None and failures != self._failures and self._retries.tell():
            self._failures = failures

    def conclude(self, writes_here: Callable[[Job], bool]) -> tuple[Job, bool]:
        """Say how the job ended. Returns the job, and whether it completed and its log is not on another host."""
        job = self._watch.job(self._job_id)
        if self._follower.left_out:
            note(f"{self._follower.left_out:,} bytes of its output are missing here: more came than a log keeps.")
        found = bool(self._follower.attempt) or writes_here(job) or say_why_none(self._app, job, self._attempt)
        if job.state is not JobState.COMPLETED:
            because = f": {job.reason}" if job.reason != job.state.value else ""
            note(f"Job {job.id[:SHORT_ID]} is {job.state.value}{because}")
        return job, found and job.state is JobState.COMPLETED


def follow_job(
    app: App,
    job_id: str,
    out: Output,
    *,
    patience: float | None,
    meanwhile: Callable[[], None],
    writes_here: Callable[[Job], bool],
) -> Job:
    """Print a job's output as it comes, of all its attempts, until the job is over. Returns the job.

    Calls ``meanwhile`` about ten times a second. ``writes_here`` says whether the job's output is certainly on this
    host, so that an empty log means that it printed nothing. See `Watch` for ``patience``, in seconds.
    """
    with closing(_watch(app, [job_id], patience)) as watch:
        following = Following(app, watch, job_id, out, from_first=True)
        _follow(watch, [following], meanwhile)
        return following.conclude(writes_here)[0]


def follow_jobs(
    app: App,
    job_ids: Sequence[str],
    out: Output,
    *,
    patience: float | None,
    attempt: int | None = None,
    last_lines: int | None = None,
) -> int:
    """Print jobs' output as it comes, until all are over. Returns the exit code: 0 if all completed, else 1.

    Shows only ``attempt``, or, without it, the newest attempt and all later ones. With ``last_lines``, shows only
    that many lines of a job's existing output. See `Watch` for ``patience``, in seconds.
    """
    with closing(_watch(app, job_ids, patience)) as watch:
        jobs = [Following(app, watch, each, out, attempt=attempt, last_lines=last_lines) for each in job_ids]
        _follow(watch, jobs, lambda: None)
        results = [job.conclude(lambda _: False)[1] for job in jobs]
    return 0 if all(results) else 1


def _watch(app: App, job_ids: Sequence[str], patience: float | None) -> Watch:
    seconds = DEFAULT_LEASE_SECONDS if patience is None else patience
    return app.manager.watch(job_ids, patience_seconds=seconds, on_wait=say_that_it_waits)


def _follow(watch: Watch, jobs: Sequence[Following], meanwhile: Callable[[], None]) -> None:
    left = list(jobs)
    while True:
        watch.wait(FOLLOW_SECONDS)  # before reading: what a job wrote before its end is not missed
        for job in list(left):
            job.show_new()
            if job.state is not None:
                left.remove(job)
        if not left:
            return
        meanwhile()


class Retries:
    """Tells a person, once each, why an attempt failed and when the next one starts."""

    def __init__(self, app: App, job_id: str) -> None:
        self._app = app
        self._job_id = job_id
        self._told = (0, 0)

    def tell(self, before: int | None = None) -> bool:
        """Report what is new about the job; only attempts before ``before``, if given.

        Returns whether the server answered.
        """
        if not is_terminal("stderr"):
            return True
        try:
            job = self._app.manager.job(self._job_id)
        except QueuectlError:
            return False  # the watch handles it
        ended = (job.attempts, job.crashes)
        if ended == self._told or job.state in FINAL or (before is not None and job.attempts >= before):
            return True
        self._told = ended
        if job.last is not None and job.last.cause == CRASH:
            hint(f"Its worker died ({job.crashes} of {MAX_CRASHES}); it is run again")
        else:
            hint(f"Attempt {job.attempts} of {job.policy.max_retries + 1} failed: {job.reason}; retry {_next(job)}")
        return True


def _next(job: Job) -> str:
    now, due = time.time(), job.next_retry_at
    return ago(due, now) if due is not None and due > now else "now"
