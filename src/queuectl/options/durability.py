"""When `enqueue --durable` counts a job as safe. The setting applies to the whole queue."""

from __future__ import annotations

from queuectl.options.table import QUEUE, Option, Options
from queuectl.options.values import whole_up_to


class Durability(Options):
    """When `enqueue --durable` counts a job as safe."""

    durable_replicas = Option(
        whole_up_to(100),
        0,
        "How many replicas must have it on disk for --durable; 0 for all connected, in memory.",
        QUEUE,
    )
