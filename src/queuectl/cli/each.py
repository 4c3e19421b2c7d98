"""Runs a command that takes several ids, continuing after an error with one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from queuectl.cli.screens.messages import complain
from queuectl.errors import BadConfiguration, NotAServer, QueuectlError, ServerUnreachable


def each_id(job_ids: Iterable[str], act: Callable[[str], int]) -> int:
    """Call ``act`` for each id; return the last error's exit code, else the highest result of ``act``.

    Stop if the server is gone.
    """
    failed = worst = 0
    for given in job_ids:
        try:
            worst = max(worst, act(given))
        except (ServerUnreachable, NotAServer, BadConfiguration):
            raise
        except QueuectlError as error:
            complain(error)
            failed = error.exit_code
    return failed or worst
