"""The kinds of jobs that producers mix, and how each must end."""

from __future__ import annotations

from typing import NamedTuple

from queuectl.model.lifecycle import JobState
from queuectl.options import JobOptions


class Kind(NamedTuple):
    """A command, its options, its final state unless its workers died too often, and its share of the mix."""

    command: str
    options: JobOptions
    ends: JobState
    share: int


_PLAIN = JobOptions()

# `foreign_records` plants the kinds without a share.
KINDS = {
    "ok": Kind("sh job.sh ok", _PLAIN, JobState.COMPLETED, 6),
    "older": Kind("", _PLAIN, JobState.COMPLETED, 0),
    "newer": Kind("", _PLAIN, JobState.DEAD, 0),
    "print": Kind("sh job.sh print", _PLAIN, JobState.COMPLETED, 2),
    "shell": Kind("sh job.sh ok && true; :", _PLAIN, JobState.COMPLETED, 1),
    "nap": Kind("sh job.sh sleep 3", _PLAIN, JobState.COMPLETED, 3),
    "sleep": Kind("sh job.sh sleep 15", _PLAIN, JobState.COMPLETED, 1),
    "fail": Kind("sh job.sh fail", JobOptions(max_retries=2, backoff_base=0.2, backoff_factor=2), JobState.DEAD, 2),
    "flaky": Kind("sh job.sh flaky", JobOptions(max_retries=3, backoff_base=0.3), JobState.COMPLETED, 2),
    "timeout": Kind(
        "sh job.sh sleep 100", JobOptions(timeout=0.5, max_retries=1, backoff_base=0.1), JobState.DEAD, 1
    ),
    "limited": Kind(
        "sh job.sh sleep 3", JobOptions(memory="1G", cpu_time=60, max_processes=50), JobState.COMPLETED, 1
    ),
}


def option_words(options: JobOptions) -> list[str]:
    """Return the same options as command-line words."""
    return [word for name, value in options.given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
