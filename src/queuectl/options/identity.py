"""What a job is known by, beside its id."""

from __future__ import annotations

from queuectl.options.table import JOB, Option, Options
from queuectl.options.values import texts


class Identity(Options):
    """What a job is known by, beside its id."""

    label = Option(texts(), (), "A text to know the job by; may be given several times.", JOB)
