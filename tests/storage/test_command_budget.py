"""How many commands the server runs for a plain job: a feature that a job does not use must not cost it one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queuectl.model.job import Lease
from queuectl.model.outcome import COMPLETED
from queuectl.storage import RedisStorage
from steps import add, beat, claim, finish_all


@pytest.fixture
def busy(storage: RedisStorage) -> list[Lease]:
    """Leases of twenty running jobs; ten more jobs wait, and all scripts are loaded."""
    add(storage, 31)
    claimed = claim(storage, 21)
    finish_all(storage, claimed[:1], COMPLETED)
    beat(storage)
    return claimed[1:]


def commands_of(storage: RedisStorage, action: Callable[[], object]) -> int:
    """How many commands the server runs for ``action``, the ones inside of scripts included."""
    storage.r.config_resetstat()
    action()
    return sum(
        stats["calls"]
        for name, stats in storage.r.info("commandstats").items()
        if not name.startswith("cmdstat_config")
    )


def test_a_claim_of_one_job(storage: RedisStorage, busy: list[Lease]) -> None:
    assert commands_of(storage, lambda: claim(storage)) == 13


def test_each_further_job_of_a_claim(storage: RedisStorage, busy: list[Lease]) -> None:
    assert commands_of(storage, lambda: claim(storage, 9)) == 13 + 8 * 2


def test_a_claim_that_finds_nothing(storage: RedisStorage, busy: list[Lease]) -> None:
    claim(storage, 100)
    assert commands_of(storage, lambda: claim(storage)) == 6


def test_a_result(storage: RedisStorage, busy: list[Lease]) -> None:
    assert commands_of(storage, lambda: finish_all(storage, busy[:1], COMPLETED)) == 6


def test_each_further_result(storage: RedisStorage, busy: list[Lease]) -> None:
    assert commands_of(storage, lambda: finish_all(storage, busy[:10], COMPLETED)) == 6 + 9 * 2


def test_adding_a_job(storage: RedisStorage, busy: list[Lease]) -> None:
    assert commands_of(storage, lambda: add(storage)) == 14


def test_each_further_job_that_is_added(storage: RedisStorage, busy: list[Lease]) -> None:
    assert commands_of(storage, lambda: add(storage, 10)) == 14 + 9 * 3


def test_a_heartbeat_of_an_idle_runner(storage: RedisStorage, busy: list[Lease]) -> None:
    assert commands_of(storage, lambda: beat(storage)) <= 12
