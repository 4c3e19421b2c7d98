"""How long finished jobs are kept. These settings apply to the whole queue, not to single jobs."""

from __future__ import annotations

from queuectl.options.table import QUEUE, Option, Options
from queuectl.options.values import YEAR_SECONDS, seconds_up_to, whole_up_to

_DAY_SECONDS = 86_400.0


class Retention(Options):
    """How long finished jobs are kept."""

    completed_retention = Option(
        seconds_up_to(100 * YEAR_SECONDS),
        7 * _DAY_SECONDS,
        "How long completed and cancelled jobs are kept.",
        QUEUE,
    )
    dead_retention = Option(
        seconds_up_to(100 * YEAR_SECONDS), 90 * _DAY_SECONDS, "How long dead jobs are kept.", QUEUE
    )
    max_finished = Option(whole_up_to(1_000_000_000), 1_000_000, "The most jobs kept in each final state.", QUEUE)
