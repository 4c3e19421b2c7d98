"""The queue's own settings: a hash that anybody may read, and may have written."""

from __future__ import annotations

import pytest

from queuectl.errors import InvalidInput
from queuectl.manager.config import QueueConfig
from queuectl.options import OPTIONS, SETTINGS, JobOptions
from queuectl.storage import RedisStorage, config, reads
from steps import add, add_as, add_one, claim, fields_of, key, new_ids

RUBBISH = ["", "many", "-1", "nan", "-nan", "inf", "1e400", "0x10", " 3", "3 ", "1_0", "9" * 20, "3\0"]


@pytest.fixture
def shared(storage: RedisStorage) -> QueueConfig:
    return QueueConfig(storage)


def test_the_hash_holds_what_was_set_and_no_more(storage: RedisStorage, shared: QueueConfig) -> None:
    shared.change({"max_retries": 5, "backoff_base": 0.5})
    assert storage.r.hgetall(key(storage, "config")) == {"max_retries": "5", "backoff_base": "0.5"}
    values = shared.values()
    assert values["max_retries"] == (5, True)
    assert values["backoff_base"] == (0.5, True)
    assert values["backoff_factor"] == (SETTINGS["backoff_factor"].default, False)
    assert values.keys() == SETTINGS.keys()


def test_reset_takes_all_back(storage: RedisStorage, shared: QueueConfig) -> None:
    shared.change({"max_retries": 5})
    shared.reset()
    assert storage.r.exists(key(storage, "config")) == 0
    assert shared.values()["max_retries"] == (3, False)


def test_all_changes_are_checked_before_the_first_is_written(storage: RedisStorage, shared: QueueConfig) -> None:
    with pytest.raises(InvalidInput, match="backoff-base"):
        shared.change({"max_retries": 5, "backoff_base": -1})
    assert config.read_config(storage) == {}


@pytest.mark.parametrize(
    "text", [*RUBBISH, "2.5", "+5", "-0", ".5", "2.", "1e2", "1e-3", "1000", "1001", "31622401"]
)
def test_what_is_shown_is_what_new_jobs_get(storage: RedisStorage, shared: QueueConfig, text: str) -> None:
    config.write_config(storage, dict.fromkeys(SETTINGS, text))
    add(storage)
    (lease,) = claim(storage)
    used = {name: getattr(lease.job.options, name) for name in SETTINGS if name in OPTIONS}
    assert used == {name: value for name, (value, _) in shared.values().items() if name in used}


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_in_it_spoils_no_job(storage: RedisStorage, shared: QueueConfig, rubbish: str) -> None:
    config.write_config(storage, dict.fromkeys(SETTINGS, rubbish))
    job_id = add_one(storage)
    job = reads.job(storage, job_id)
    assert job is not None
    assert job.options == JobOptions()
    assert [lease.job_id for lease in claim(storage)] == [job_id]


@pytest.mark.parametrize("value", ["2.5", "1001", "1e2", "2."])
def test_retries_are_a_whole_number_in_bounds(storage: RedisStorage, value: str) -> None:
    config.write_config(storage, {"max_retries": value})
    assert fields_of(storage, add_one(storage))["max_retries"] == b"3"
    assert len(claim(storage)) == 1


@pytest.mark.parametrize("value", ["0", "1e-07", "0.25", "31622400"])
def test_every_number_that_can_be_set_is_used(storage: RedisStorage, shared: QueueConfig, value: str) -> None:
    shared.change({"backoff_base": float(value), "timeout": float(value)})
    add(storage)
    (lease,) = claim(storage)
    assert lease.job.policy.backoff_base == lease.job.options.timeout == float(value)


def test_unknown_fields_are_left_alone(storage: RedisStorage, shared: QueueConfig) -> None:
    config.write_config(storage, {"colour": "blue"})
    shared.change({"max_retries": 1})
    assert config.read_config(storage) == {"colour": "blue", "max_retries": "1"}
    assert "colour" not in shared.values()


def test_a_job_overrides_each_setting_by_itself(storage: RedisStorage, shared: QueueConfig) -> None:
    shared.change({"memory": "1G", "nice": 5, "max_output": "1M", "timeout": 9})
    wanted = JobOptions(memory=0, nice=7, max_retries=1)
    add_as(storage, new_ids(1), **wanted.fields())
    (lease,) = claim(storage)
    assert lease.job.options == JobOptions(nice=7, max_output="1M", timeout=9, max_retries=1)


def test_records_of_older_versions_are_readable(storage: RedisStorage) -> None:
    add(storage, limits="memory=536870912 cpu_time=1.5 nice=3")
    (lease,) = claim(storage)
    assert lease.job.options == JobOptions(memory="512M", cpu_time=1.5, nice=3)
