"""The ids that shell completion offers. It starts nothing, prints nothing, and never waits for a slow server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from queuectl.cli.app import App
from queuectl.errors import QueuectlError
from queuectl.schema.job import command_text
from queuectl.text import one_line

MOST_IDS = 40
PATIENCE_SECONDS = 0.5


def recent_jobs(ctx: click.Context, beginning: str) -> list[tuple[str, str]]:
    """Return ``(id, its state and command)`` for recently changed jobs whose id starts like this."""
    try:
        with _at_most(PATIENCE_SECONDS):
            return [found for found in _jobs(ctx) if found[0].startswith(beginning.lower())][:MOST_IDS]
    except (QueuectlError, OSError):
        return []


def _jobs(ctx: click.Context) -> list[tuple[str, str]]:
    given = ctx.find_root().params  # completion parses the contexts, but no callback made an App of them
    app = App(given.get("redis_url"), given.get("namespace"), bool(given.get("insecure_redis")))
    if not app.settings.redis_url:
        from queuectl.server.paths import socket_path

        if not os.path.exists(socket_path(app.settings.home)):
            return []  # asking would start the server
    page = app.manager.page(limit=200)
    return [(job.id, f"{job.state.value} {one_line(command_text(job), 40)}") for job in page.jobs]


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
