"""Scripts with arguments that queuectl never passes: no key outside the namespace, and the queue keeps working."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz.examples import fuzzed, values, words
from fuzz.test_records import IDS, NUMBERS, STATES
from queuectl.errors import AmbiguousId, InvalidInput, JobNotFound, QueuectlError
from queuectl.manager.config import QueueConfig
from queuectl.manager.queue_manager import QueueManager
from queuectl.manager.selection import resolve
from queuectl.model.lifecycle import JobState
from queuectl.settings import load
from queuectl.storage import RedisStorage, config
from queuectl.storage.calls import workers
from queuectl.storage.scripts import names, source
from servers import Server
from steps import add, add_one, claim, finish, status_of

NAMESPACE = "fuzzed"

arguments = st.lists(
    st.one_of(st.sampled_from([*NUMBERS, *STATES, *IDS, b"", b"retry", b"crashed", b"max_retries"]), values),
    max_size=16,
)


@pytest.fixture
def storage(valkey_server: Server) -> Iterator[RedisStorage]:
    storage = RedisStorage(valkey_server.url, NAMESPACE)
    yield storage
    storage.close()


def outside(storage: RedisStorage) -> list[bytes]:
    keys = storage.exchange([("KEYS", "*")])[0]
    return [key for key in keys if not key.startswith(f"{storage.keys.namespace}:".encode())]


@fuzzed
@given(st.lists(st.tuples(st.sampled_from(sorted(names())), arguments), min_size=1, max_size=4))
@example([("enqueue", [b"", b"", b"", b"0", b"9223372036854775807", b"abcd", b"true"])])
def test_any_arguments(storage: RedisStorage, calls: list[tuple[str, list[bytes]]]) -> None:
    storage.r.flushall()
    add(storage, 2)
    for name, given_ in calls:
        storage.exchange([("EVAL", source(name), 1, f"{NAMESPACE}:", *given_)], raise_errors=False)
    assert outside(storage) == []
    # What a stranger may have set: a stop, a newer schema, foreign entries. The queue itself still works.
    storage.run(workers.resume())
    storage.exchange([("DEL", f"{NAMESPACE}:schema")])
    good = add_one(storage)
    for _ in range(20):
        leases = claim(storage, 50)
        for lease in leases:
            finish(storage, lease)
        if status_of(storage, good) is JobState.COMPLETED:
            return
    pytest.fail(f"{good} did not get through")


@fuzzed
@given(
    st.text(max_size=70) | words | st.sampled_from(["{a}", "a:b", "a*", "queuectl", "{", "}", "a" * 64, "a" * 65])
)
def test_no_namespace_reaches_into_another(valkey_server: Server, storage: RedisStorage, name: str) -> None:
    storage.r.flushall()
    bystander = add_one(storage)
    before = storage.exchange([("DUMP", storage.keys.job(bystander))])
    try:
        settings = load(redis_url=valkey_server.url, namespace=name)
    except QueuectlError:
        return
    if settings.namespace == NAMESPACE:
        return
    other = RedisStorage(settings=settings)
    try:
        job_id = add_one(other)
        (lease,) = claim(other)
        assert lease.job_id == job_id
        finish(other, lease)
        other.run(workers.stop())
        keys = other.exchange([("KEYS", "*")])[0]
        own = [key for key in keys if key.startswith(f"{name}:".encode())]
        mine = [key for key in keys if key.startswith(b"fuzzed:")]
        assert sorted(own + mine) == sorted(keys)
        assert QueueManager(other).clear() == 0
        config.reset_config(other)
        assert storage.exchange([("DUMP", storage.keys.job(bystander))]) == before
        assert [one.job_id for one in claim(storage, 5)] == [bystander]
    finally:
        other.close()


@fuzzed
@given(words | st.text(max_size=40))
def test_no_id_or_prefix_reaches_another_key(storage: RedisStorage, given_: str) -> None:
    storage.r.flushall()
    bystander = add_one(storage)
    before = sorted(storage.exchange([("KEYS", "*")])[0])
    manager = QueueManager(storage)
    for use in (partial(resolve, storage), manager.job, manager.cancel):
        try:
            use(given_)
        except (JobNotFound, AmbiguousId):
            continue
        assert bystander.startswith(given_.strip().lower())
        return
    assert sorted(storage.exchange([("KEYS", "*")])[0]) == before


@fuzzed
@given(words | st.text(max_size=40), words)
def test_no_setting_writes_a_field_of_its_own(storage: RedisStorage, name: str, value: str) -> None:
    storage.r.flushall()
    for key in (name, "max_retries", "timeout"):
        try:
            QueueConfig(storage).change({key: value})  # type: ignore[dict-item]
        except (InvalidInput, KeyError):
            continue
        stored = storage.exchange([("HGET", storage.keys.config, key)])[0]
        assert 0 <= float(stored) < 1e9
    assert outside(storage) == []
