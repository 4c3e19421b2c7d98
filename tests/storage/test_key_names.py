"""The documented keys: exactly these names, of these types, the same in Python and in Lua."""

from __future__ import annotations

import re

from queuectl.model.lifecycle import MAX_CRASHES, JobState
from queuectl.storage import RedisStorage, config
from queuectl.storage.calls import workers
from queuectl.storage.calls.workers import WorkerState
from queuectl.storage.keys import KEYS, Keys
from queuectl.storage.scripts import names, source
from steps import add, beat, claim, fail, make_dead

NAME = re.compile(r"prefix \.\. '([^']+)'")
STATE = re.compile(r"^  (\w+) = '([^']+)',$", re.MULTILINE)


def documented() -> dict[str, str]:
    """Key pattern -> type."""
    return {key.name: key.kind for key in KEYS}


def used_by_scripts() -> set[str]:
    """Key names in the scripts; those of which there are many end in a colon."""
    return {name for script in names() for name in NAME.findall(source(script).decode())} | set(indexes().values())


def indexes() -> dict[str, str]:
    """State -> the key of its index."""
    return dict(STATE.findall(source("claim").decode()))


def test_the_documented_names_and_types(valkey_storage: RedisStorage) -> None:
    storage = RedisStorage(valkey_storage.settings.redis_url)
    try:
        (dead,), (failed,) = make_dead(storage), fail(storage)
        running, pending = add(storage, 2)
        (lease,) = claim(storage)
        beat(storage, WorkerState("host-1.1", "busy", lease.job_id, lease.fence))
        config.write_config(storage, {"max_retries": "1"})
        storage.run(workers.stop())
        server = storage.r
        assert server.type("queuectl:jobs") == "list"
        assert server.lrange("queuectl:jobs", 0, -1) == [pending]
        assert server.type(f"queuectl:jobs:{running}") == "hash"
        assert server.hget(f"queuectl:jobs:{running}", "status") == "processing"
        assert server.hgetall("queuectl:config") == {"max_retries": "1"}
        ((member, retry_at),) = server.zrange("queuectl:retry_queue", 0, -1, withscores=True)
        assert (member, f"{retry_at:.6f}") == (failed, server.hget(f"queuectl:jobs:{failed}", "next_retry_at"))
        assert server.lrange("queuectl:dead_letter", 0, -1) == [dead]
        assert server.hget("queuectl:worker:host-1.1", "job") == running
        assert server.ttl("queuectl:worker:host-1.1") > 0
        assert server.get("queuectl:stop_signal") == "true"
    finally:
        storage.r.delete(*storage.r.keys("queuectl:*"))
        storage.close()


def test_every_key_of_the_scripts_is_documented_and_the_other_way_round() -> None:
    in_table = {re.sub("<.*", "", name) for name in documented()}
    in_scripts = {re.sub("^idx:.*", "idx:", name) for name in used_by_scripts()}
    assert in_scripts == in_table


def test_python_uses_names_that_the_scripts_use() -> None:
    used = used_by_scripts()
    space = Keys("n")
    for name in ("config", "wake"):
        assert getattr(space, name).removeprefix("n:") in used
    for build in (space.job, space.worker, space.control, space.environment, space.done):
        assert build("x").removeprefix("n:").removesuffix("x") in used


def test_every_key_says_how_long_it_lives() -> None:
    assert all(key.lives and key.holds for key in KEYS)
    assert len(KEYS) == len(documented())


def test_every_state_has_an_index() -> None:
    assert indexes().keys() == {state.value for state in JobState}
    assert {state: Keys("n").index(state) for state in indexes()} == {
        state: f"n:{name}" for state, name in indexes().items()
    }


def test_lua_and_python_have_the_same_number_of_crashes() -> None:
    assert f"MAX_CRASHES = {MAX_CRASHES}\n" in source("claim").decode()


def test_all_keys_of_a_script_share_the_slot_of_its_namespace() -> None:
    """In a cluster one call may touch one slot only: every name begins with KEYS[1]."""
    for name in names():
        text = source(name).decode()
        literals = set(re.findall(r"(?:call|try)\('\w+', '([^']*)'", text))
        assert not literals, f"{name} names a key without the namespace: {literals}"
