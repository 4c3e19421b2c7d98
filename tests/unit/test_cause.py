"""Why an attempt ended, as data and in words, for every cause that a worker reports."""

from __future__ import annotations

import pytest

from queuectl.model.cause import CRASH, TIMEOUT, in_short, sentence
from queuectl.model.job import Job, Lease
from queuectl.model.lifecycle import JobState
from queuectl.options import OPTIONS, JobOptions
from queuectl.worker.attempt.process import JobProcess

OPTIONS_GIVEN = JobOptions(memory=1_000_000, cpu_time=1.5, max_output=1_000, max_processes=7, timeout="1h30m")
SIGNALS = {1: "SIGHUP", 9: "SIGKILL", 11: "SIGSEGV", 39: "signal 39"}
LIMITS = [name for name, option in OPTIONS.items() if option.limit]


def cause_of(status: int) -> str:
    """The cause of an attempt that ended with this wait status."""
    lease = Lease(Job("ab12", JobState.PROCESSING, b"", options=OPTIONS_GIVEN), 1)
    process = JobProcess(lease, "w", 0, -1, lambda lease: pytest.fail("nothing is printed"), 0.0)
    outcome = process.outcome(status, 1.0)
    assert outcome is not None
    assert outcome.detail == ""
    return outcome.cause


@pytest.mark.parametrize("code", [1, 137, 255])
def test_an_exit_code(code: int) -> None:
    assert cause_of(code << 8) == f"exit:{code}"
    assert in_short(f"exit:{code}") == f"exit {code}"
    assert sentence(f"exit:{code}") == f"exit code {code}"


def test_a_success_has_no_cause() -> None:
    assert cause_of(0) == in_short("") == sentence("") == ""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_has_its_name(number: int) -> None:
    assert cause_of(number) == f"signal:{number}"
    assert in_short(cause_of(number)) == SIGNALS[number]
    assert sentence(cause_of(number)) == f"killed by {SIGNALS[number]}"


def test_a_timeout_tells_its_length() -> None:
    assert in_short(TIMEOUT) == "timeout"
    assert sentence(TIMEOUT, options=OPTIONS_GIVEN) == "timed out after 1h30m"


def test_a_limit_tells_its_value() -> None:
    assert [sentence(name, options=OPTIONS_GIVEN) for name in LIMITS] == [
        "memory limit of 1000000 bytes exceeded",
        "CPU time limit of 1.5s exceeded",
        "output limit of 1000 bytes exceeded",
        "process limit of 7 exceeded",
    ]
    assert [in_short(name) for name in LIMITS] == [
        "memory limit", "CPU time limit", "output limit", "process limit",
    ]  # fmt: skip


def test_deaths_of_workers_are_counted() -> None:
    assert sentence(CRASH, crashes=1) == "its worker died (1 time)"
    assert sentence(CRASH, crashes=5) == "its worker died (5 times)"
    assert in_short(CRASH) == "worker died"


def test_a_detail_is_added_and_stands_alone_without_a_cause() -> None:
    assert sentence("exit:1", "its log is not complete") == "exit code 1; its log is not complete"
    assert sentence("", "its log is not complete") == "its log is not complete"
    assert sentence("start", "no such program on its PATH: x") == "no such program on its PATH: x"


def test_a_cause_of_another_version_is_given_as_it_is() -> None:
    assert in_short("moon") == sentence("moon") == "moon"
    assert in_short("", "a sentence of an older version") == "a sentence of an older version"
