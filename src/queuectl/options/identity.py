"""What identifies a job besides its id."""

from __future__ import annotations

from queuectl.options.table import FIELD, Option, Options
from queuectl.options.values import texts


class Identity(Options):
    """What identifies a job besides its id."""

    label = Option(texts(), (), "A label to find the job by; repeatable.", FIELD)
