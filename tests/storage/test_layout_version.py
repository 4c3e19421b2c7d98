"""The version of the layout: written once, and a newer one is not overwritten."""

from __future__ import annotations

import pytest

from queuectl.errors import BadConfiguration, QueuectlError
from queuectl.storage import RedisStorage, reads
from steps import EXPIRED, SCHEMA, add, add_as, beat, claim, fields_of, key, look, new_ids, queue_of


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
    assert reads.exist(storage, ids) == [False, False]
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
    assert reads.exist(storage, ids) == [False]


def test_jobs_of_a_newer_one_are_not_claimed_nor_touched(storage: RedisStorage) -> None:
    (job_id,) = add(storage)
    storage.r.set(key(storage, "schema"), SCHEMA + 1)
    claim = look(storage)
    assert (claim.newer, claim.leases, claim.pending) == (str(SCHEMA + 1), [], 1)
    assert queue_of(storage) == [job_id]
    storage.r.set(key(storage, "schema"), SCHEMA)
    assert [lease.job_id for lease in look(storage).leases] == [job_id]


def test_a_heartbeat_leaves_jobs_of_a_newer_one_alone(storage: RedisStorage) -> None:
    (job_id,) = add(storage)
    claim(storage, lease_seconds=EXPIRED)
    storage.r.set(key(storage, "schema"), SCHEMA + 1)
    beat(storage)
    assert fields_of(storage, job_id)["status"] == b"processing"
    storage.r.set(key(storage, "schema"), SCHEMA)
    beat(storage)
    assert fields_of(storage, job_id)["status"] == b"pending"


def test_a_queue_that_is_older_than_the_origin_gets_one(storage: RedisStorage) -> None:
    add(storage)
    storage.r.delete(key(storage, "origin"))
    first = beat(storage).origin
    assert first == beat(storage).origin != ""


def test_an_origin_that_is_no_text_ends_no_worker(storage: RedisStorage) -> None:
    add(storage)
    storage.r.set(key(storage, "origin"), b"\xff")
    assert beat(storage).origin == beat(storage).origin != ""


def test_a_queue_that_was_emptied_has_another_origin(storage: RedisStorage) -> None:
    assert beat(storage).origin == ""
    add(storage)
    first = beat(storage).origin
    add(storage)
    assert first == beat(storage).origin != ""
    storage.r.delete(*storage.r.keys(f"{storage.keys.namespace}:*"))
    assert beat(storage).origin == ""
    add(storage)
    assert beat(storage).origin not in ("", first)
