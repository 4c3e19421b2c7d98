"""The queue's own settings: a hash that anybody may read, and that anybody may have written."""

from __future__ import annotations

import pytest

from queuectl.errors import InvalidInput
from queuectl.manager.queue_manager import QueueManager
from queuectl.options import SETTINGS
from queuectl.storage import RedisStorage
from steps import add, add_one, claim, fields_of, key

RUBBISH = ["", "many", "-1", "nan", "-nan", "inf", "1e400", "0x10", " 3", "3 ", "1_0", "9" * 20, "3\0"]


@pytest.fixture
def manager(storage: RedisStorage) -> QueueManager:
    return QueueManager(storage)


def test_the_hash_holds_what_was_set_and_no_more(storage: RedisStorage, manager: QueueManager) -> None:
    manager.configure({"max_retries": 5, "backoff_base": 0.5})
    assert storage.r.hgetall(key(storage, "config")) == {"max_retries": "5", "backoff_base": "0.5"}
    config = manager.config()
    assert config["max_retries"] == (5, True)
    assert config["backoff_base"] == (0.5, True)
    assert config["backoff_factor"] == (SETTINGS["backoff_factor"].default, False)
    assert config.keys() == SETTINGS.keys()


def test_reset_takes_all_back(storage: RedisStorage, manager: QueueManager) -> None:
    manager.configure({"max_retries": 5})
    manager.reset_config()
    assert storage.r.exists(key(storage, "config")) == 0
    assert manager.config()["max_retries"] == (3, False)


def test_all_changes_are_checked_before_the_first_is_written(storage: RedisStorage, manager: QueueManager) -> None:
    with pytest.raises(InvalidInput, match="backoff-base"):
        manager.configure({"max_retries": 5, "backoff_base": -1})
    assert storage.config() == {}


@pytest.mark.parametrize(
    "text", [*RUBBISH, "2.5", "+5", "-0", ".5", "2.", "1e2", "1e-3", "1000", "1001", "31622401"]
)
def test_what_is_shown_is_what_new_jobs_get(storage: RedisStorage, manager: QueueManager, text: str) -> None:
    storage.set_config(dict.fromkeys(SETTINGS, text))
    add(storage)
    (lease,) = claim(storage)
    used = {**lease.job.policy._asdict(), "timeout": lease.job.options.timeout}
    assert used == {name: value for name, (value, _) in manager.config().items() if name in used}


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_in_it_spoils_no_job(storage: RedisStorage, manager: QueueManager, rubbish: str) -> None:
    storage.set_config(dict.fromkeys(SETTINGS, rubbish))
    job_id = add_one(storage)
    job = storage.job(job_id)
    assert job is not None
    assert (job.policy, job.options.timeout) == ((3, 2.0, 2.0), 0.0)
    assert [lease.job_id for lease in claim(storage)] == [job_id]


@pytest.mark.parametrize("value", ["2.5", "1001", "1e2", "2."])
def test_retries_are_a_whole_number_in_bounds(storage: RedisStorage, value: str) -> None:
    storage.set_config({"max_retries": value})
    assert fields_of(storage, add_one(storage))["max_retries"] == b"3"
    assert len(claim(storage)) == 1


@pytest.mark.parametrize("value", ["0", "1e-07", "0.25", "31622400"])
def test_every_number_that_can_be_set_is_used(storage: RedisStorage, manager: QueueManager, value: str) -> None:
    manager.configure({"backoff_base": float(value), "timeout": float(value)})
    add(storage)
    (lease,) = claim(storage)
    assert lease.job.policy.backoff_base == lease.job.options.timeout == float(value)


def test_unknown_fields_are_left_alone(storage: RedisStorage, manager: QueueManager) -> None:
    storage.set_config({"colour": "blue"})
    manager.configure({"max_retries": 1})
    assert storage.config() == {"colour": "blue", "max_retries": "1"}
    assert "colour" not in manager.config()
