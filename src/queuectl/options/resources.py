"""What one attempt may use, summed over all its processes; 0 for no limit."""

from __future__ import annotations

from queuectl.options.table import LEASE, Option, Options
from queuectl.options.values import seconds_up_to, size_in_bytes, whole_up_to

MAX_PROCESSES = 1 << 22
"""The number of process ids on Linux."""


class Resources(Options):
    """What one attempt may use, summed over all its processes; 0 for no limit. ``max_processes`` counts threads."""

    memory = Option(
        size_in_bytes(), 0, "Kill an attempt that uses more memory, as in 512M or 2G.", LEASE, limit="memory limit"
    )
    cpu_time = Option(
        seconds_up_to(), 0.0, "Kill an attempt that uses more CPU time.", LEASE, limit="CPU time limit"
    )
    max_output = Option(
        size_in_bytes(), 0, "Kill an attempt that prints more, as in 10M.", LEASE, limit="output limit"
    )
    max_processes = Option(
        whole_up_to(MAX_PROCESSES),
        0,
        "Kill an attempt that has more processes and threads.",
        LEASE,
        limit="process limit",
    )
