"""`queuectl run`."""

from __future__ import annotations

from typing import Any

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.command_line import command_line
from queuectl.cli.enqueue import CommandWithDashes, command_bytes, warn_of_piped_input
from queuectl.cli.options import job_options
from queuectl.cli.patience import patience_option
from queuectl.cli.screens.messages import note
from queuectl.cli.screens.terminal import give_up_output
from queuectl.cli.screens.values import SHORT_ID, quantity
from queuectl.errors import QueuectlError
from queuectl.model.cause import TIMEOUT
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState

EXIT_TIMED_OUT = 124
"""Exit code for a job that timed out, as in timeout(1)."""

EXIT_CANCELLED = 125

EXIT_NO_READER = 141
"""As in a shell for a command that SIGPIPE killed: the job's result is not known."""


@click.command(cls=CommandWithDashes, name="run")
@click.argument("words", nargs=-1, required=True, metavar="COMMAND", type=click.UNPROCESSED)
@job_options
@click.option("--raw", is_flag=True, help="Keep control characters of the output, even on a terminal.")
@patience_option
@pass_app
@click.pass_context
def run_command(
    ctx: click.Context,
    app: App,
    /,
    words: tuple[str, ...],
    raw: bool,
    patience: float | None,
    **options: Any,
) -> None:
    """Enqueue a job, follow its output, and exit with its exit code.

    \b
    Examples:
      queuectl run 'make check'
      queuectl run --timeout 60 --max-retries 0 -- ./deploy.sh staging

    The job waits for its turn in the queue. If no worker is up, `run` starts a temporary one and stops it after the
    job; until then it also runs the other waiting jobs. Like any worker's, its jobs see only a few of this shell's
    variables. A TIME is in seconds, or has a unit: 90s, 10m. A SIZE is in bytes, or has one: 512M, 2G. Exit code
    124: timed out; 125: cancelled; 141: nobody read the output any more. Ctrl-C leaves the job in the queue.
    `run` outlasts a restart of the server.
    """
    from queuectl.cli.follow import Output, follow_job
    from queuectl.options import JobOptions
    from queuectl.worker.pool.temporary import TemporaryPool

    def starting(ahead: int) -> None:
        before = f"; {quantity(ahead, 'job')} before it" if ahead else ""
        note(f"No worker is running: starting one until the job is over{before}.")

    helper = TemporaryPool(app.storage, starting)
    helper.check()
    job_id = app.manager.enqueue(command_bytes(ctx, words), JobOptions(**options))
    warn_of_piped_input()
    try:
        helper.look()
    except QueuectlError:
        note(f"Job {job_id[:SHORT_ID]} stays in the queue.")
        raise
    try:
        job = follow_job(
            app,
            job_id,
            Output(raw),
            patience=patience,
            meanwhile=helper.look,
            writes_here=helper.is_here,
        )
    except KeyboardInterrupt:
        click.echo("", err=True)
        note("The job continues. Follow it with:", command_line(f"logs -f {job_id[:SHORT_ID]}"))
        raise
    except BrokenPipeError:
        give_up_output()
        note(
            "Nobody reads the output any more. That does not stop the job:",
            command_line(f"logs -f {job_id[:SHORT_ID]}"),
        )
        ctx.exit(EXIT_NO_READER)
    helper.end()
    ctx.exit(_exit_code(job))


def _exit_code(job: Job) -> int:
    if job.state is JobState.CANCELLED:
        return EXIT_CANCELLED
    if job.exit_code is not None:
        return job.exit_code
    return EXIT_TIMED_OUT if job.last and job.last.cause == TIMEOUT else 1
