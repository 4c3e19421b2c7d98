"""What ended an attempt, in a few words: for every reason that a worker gives."""

from __future__ import annotations

import pytest

from queuectl.model.job_limits import JobLimits
from queuectl.model.reason import in_short
from queuectl.model.retry import RetryPolicy
from queuectl.storage.codec import Lease
from queuectl.worker.attempt.process import JobProcess, limit_exceeded, timed_out

LIMITS = JobLimits(1_000_000, 1.5, 1_000, 7)
SIGNALS = {1: "SIGHUP", 9: "SIGKILL", 11: "SIGSEGV", 39: "signal 39"}


def short_of(status: int) -> str:
    """What is left of the outcome of an attempt that ended with this wait status."""
    lease = Lease("ab12", 1, b"", "shell", b"", "", 0.0, 0, RetryPolicy(), "jobs", LIMITS)
    outcome = JobProcess(lease, "w", 0, -1, lambda lease: pytest.fail("nothing is printed"), 0.0).outcome(
        status, 1.0
    )
    assert outcome is not None
    spoiled = f"{outcome.reason or 'exit code 0'}; its log is not complete"
    assert in_short(spoiled, outcome.exit_code) == in_short(outcome.reason, outcome.exit_code)
    return in_short(outcome.reason, outcome.exit_code)


@pytest.mark.parametrize("code", [0, 1, 137, 255])
def test_an_exit_code_says_it_all(code: int) -> None:
    assert short_of(code << 8) == str(code)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_has_its_name(number: int) -> None:
    assert short_of(number) == SIGNALS[number]


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        (timed_out(0.5).reason, "timeout"),
        *zip(
            [limit_exceeded(LIMITS, name).reason for name in LIMITS._fields],
            ["memory limit", "CPU limit", "output limit", "process limit"],
            strict=True,
        ),
    ],
)
def test_what_its_worker_ended_has_no_exit_code(reason: str, short: str) -> None:
    assert in_short(reason, None) == short
    assert in_short(f"{reason}; its log is not complete", None) == short


def test_before_the_first_end_there_is_nothing_to_say() -> None:
    assert in_short("", None) == ""


def test_a_reason_of_another_version_is_given_whole() -> None:
    assert in_short("eaten by a bear", None) == "eaten by a bear"
    assert in_short("eaten by a bear", 3) == "3"
