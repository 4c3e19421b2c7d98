"""The version of the layout: written once, and a newer one is not written over."""

from __future__ import annotations

import pytest

from queuectl.errors import BadConfiguration, QueuectlError
from queuectl.storage import RedisStorage
from queuectl.storage.submit import SCHEMA
from steps import add, add_as, key, new_ids, queue_of


def test_the_first_job_writes_it(storage: RedisStorage) -> None:
    assert storage.r.get(key(storage, "schema")) is None
    add(storage)
    assert storage.r.get(key(storage, "schema")) == str(SCHEMA)


def test_a_newer_one_is_refused_and_nothing_is_written(storage: RedisStorage) -> None:
    storage.r.set(key(storage, "schema"), SCHEMA + 1)
    ids = new_ids(2)
    with pytest.raises(BadConfiguration, match=f"version {SCHEMA + 1}") as caught:
        add_as(storage, ids)
    assert "pip install -U queuectl" in caught.value.hint
    assert storage.exist(ids) == [False, False]
    assert queue_of(storage) == []
    assert storage.r.get(key(storage, "schema")) == str(SCHEMA + 1)


def test_an_older_one_is_used(storage: RedisStorage) -> None:
    storage.r.set(key(storage, "schema"), SCHEMA - 1)
    assert len(add(storage)) == 1


@pytest.mark.parametrize("rubbish", ["", "one", "nan"])
def test_one_that_cannot_be_read_is_not_taken_for_ours(storage: RedisStorage, rubbish: str) -> None:
    storage.r.set(key(storage, "schema"), rubbish)
    ids = new_ids(1)
    with pytest.raises(QueuectlError, match="version"):
        add_as(storage, ids)
    assert storage.exist(ids) == [False]
