"""The settings of a whole queue, kept in its config hash: what each means, may be, and is by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from queuectl.model import values
from queuectl.model.retry import RetryPolicy

_POLICY = RetryPolicy()


class Setting(NamedTuple):
    """One setting. ``check`` gives the value as a number or raises InvalidInput."""

    default: float
    check: Callable[[Any], float]
    meaning: str


SETTINGS: dict[str, Setting] = {
    "max_retries": Setting(
        _POLICY.max_retries, values.max_retries, "retries after the first attempt of a failing job"
    ),
    "backoff_base": Setting(_POLICY.backoff_base, values.backoff_base, "seconds before the first retry"),
    "backoff_factor": Setting(
        _POLICY.backoff_factor, values.backoff_factor, "by how much each pause is longer than the one before"
    ),
    "timeout": Setting(0, values.timeout, "seconds an attempt may take; 0 for no limit"),
    "completed_retention": Setting(
        7 * 86_400,
        lambda value: values.seconds("completed-retention", value, 100 * values.YEAR_SECONDS),
        "seconds that completed and cancelled jobs are kept",
    ),
    "dead_retention": Setting(
        90 * 86_400,
        lambda value: values.seconds("dead-retention", value, 100 * values.YEAR_SECONDS),
        "seconds that jobs stay in the dead letter queue",
    ),
    "max_finished": Setting(
        1_000_000,
        lambda value: values.whole_number("max-finished", value, 0, 1_000_000_000),
        "jobs kept at most in each final state",
    ),
}

ENQUEUE_DEFAULTS = {
    name: SETTINGS[name].default for name in ("max_retries", "backoff_base", "backoff_factor", "timeout")
}
"""What a job gets when neither it nor the config hash says otherwise."""

RETENTION_DEFAULTS = {
    name: SETTINGS[name].default for name in ("completed_retention", "dead_retention", "max_finished")
}
