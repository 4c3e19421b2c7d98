"""The states of a job, and the allowed transitions."""

from __future__ import annotations

import json
from itertools import product

import pytest

from queuectl.model.lifecycle import FINAL, TRANSITIONS, JobState


def test_the_states_are_these() -> None:
    assert [state.value for state in JobState] == [
        *("pending", "processing", "failed", "completed", "dead", "cancelled")
    ]


def test_a_state_is_its_text_everywhere() -> None:
    state = JobState.PENDING
    assert state == "pending"
    assert str(state) == f"{state}" == "pending"
    assert json.dumps({"status": state}) == '{"status": "pending"}'
    assert "completed" in FINAL
    assert JobState("dead") is JobState.DEAD


def test_every_state_has_its_row() -> None:
    assert TRANSITIONS.keys() == set(JobState)


LEGAL = {
    ("pending", "processing"),
    ("pending", "cancelled"),
    ("processing", "completed"),
    ("processing", "failed"),
    ("processing", "dead"),
    ("processing", "cancelled"),
    ("processing", "pending"),
    ("failed", "pending"),
    ("failed", "cancelled"),
    ("dead", "pending"),
}


@pytest.mark.parametrize(("before", "after"), list(product(JobState, JobState)))
def test_every_pair_of_states(before: JobState, after: JobState) -> None:
    assert (after in TRANSITIONS[before]) == ((before.value, after.value) in LEGAL)


def test_a_final_state_is_left_only_by_a_retry_from_the_dead_letter_queue() -> None:
    assert {(state, after) for state in FINAL for after in TRANSITIONS[state]} == {
        (JobState.DEAD, JobState.PENDING)
    }


def test_every_state_can_be_reached_and_every_job_can_end() -> None:
    reached = {JobState.PENDING}
    for _ in JobState:
        reached |= {after for state in reached for after in TRANSITIONS[state]}
    assert reached == set(JobState)
    for state in set(JobState) - FINAL:
        assert TRANSITIONS[state] & FINAL
