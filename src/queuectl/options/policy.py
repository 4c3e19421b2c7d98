"""How long an attempt may take, and when a failed one is retried."""

from __future__ import annotations

from queuectl.options.table import ALWAYS, Option, Options
from queuectl.options.values import number_up_to, seconds_up_to, whole_up_to


class Policy(Options):
    """How long an attempt may take, and when a failed one is retried."""

    timeout = Option(
        seconds_up_to(), 0.0, "Kill an attempt that takes longer; 0 for no limit.", ALWAYS, unlimited=True
    )
    max_retries = Option(whole_up_to(1_000), 3, "Retries after the first attempt.", ALWAYS, shown=False)
    backoff_base = Option(seconds_up_to(), 2.0, "Pause before the first retry.", ALWAYS, shown=False)
    backoff_factor = Option(number_up_to(1_000), 2.0, "Multiply each further pause by this.", ALWAYS, shown=False)
