"""The phases of pools, runners and memberships, and the allowed changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum

import pytest

from queuectl.worker.phase import Phases
from queuectl.worker.pool import phase as pool
from queuectl.worker.runner import membership
from queuectl.worker.runner import phase as runner

Table = Mapping[Enum, Collection[Enum]]

TABLES = pytest.mark.parametrize(
    ("phases", "allowed"),
    [
        (pool.Phase, pool.ALLOWED),
        (runner.Phase, runner.ALLOWED),
        (membership.Standing, membership.ALLOWED),
    ],
    ids=["pool", "runner", "membership"],
)


def test_a_change_that_is_not_allowed_changes_nothing() -> None:
    phases = Phases(runner.Phase.WORKING, runner.ALLOWED)
    assert phases.enter(runner.Phase.DRAINING)
    assert not phases.enter(runner.Phase.WORKING)
    assert phases.now is runner.Phase.DRAINING


@TABLES
def test_each_phase_has_its_row_and_can_be_reached(phases: type[Enum], allowed: Table) -> None:
    assert set(allowed) == set(phases)
    reached = {next(iter(phases))}
    for _ in phases:
        reached |= {after for before in reached for after in allowed[before]}
    assert reached == set(phases)


def test_only_a_stop_can_be_taken_back() -> None:
    before = {phase for phase, after in runner.ALLOWED.items() if runner.Phase.WORKING in after}
    assert before == {runner.Phase.STOPPING}
    assert not any(pool.Phase.WORKING in after for after in pool.ALLOWED.values())


def test_a_runner_that_takes_no_job_has_an_exit_code() -> None:
    assert set(runner.EXIT_CODES) == set(runner.Phase) - {runner.Phase.WORKING}
