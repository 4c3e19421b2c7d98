"""Where and how a job's command runs."""

from __future__ import annotations

from queuectl.options.table import LEASE, Option, Options
from queuectl.options.values import whole_up_to

NICEST = 19
"""The lowest process priority on Unix."""


class Place(Options):
    """Where and how a job's command runs."""

    nice = Option(whole_up_to(NICEST), 0, "Lower the priority of its processes, as nice(1) does: 1 to 19.", LEASE)
