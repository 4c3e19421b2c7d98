"""Scripts are called by digest, and sent again to a server that has forgotten them."""

from __future__ import annotations

from typing import Any

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls.integrity import fsck_hints, fsck_jobs
from queuectl.storage.calls.jobs import find, page
from queuectl.storage.calls.workers import overview, stop
from queuectl.storage.scripts import Call, command, digest, names, source
from steps import add, beat, claim, finish


def test_a_flushed_server_is_told_again(storage: RedisStorage) -> None:
    for _ in range(2):
        ids = add(storage, 2)
        leases = claim(storage, 2)
        assert [lease.job_id for lease in leases] == ids
        assert beat(storage, waiting=leases).lost == []
        assert [finish(storage, lease) for lease in leases] == ["completed"] * 2
        assert storage.run(overview()).jobs
        storage.r.script_flush()


def test_the_text_goes_along_once(storage: RedisStorage) -> None:
    storage.run(overview())
    storage.r.config_resetstat()
    for _ in range(3):
        storage.run(overview())
    used = storage.r.info("commandstats")
    assert used["cmdstat_evalsha_ro"]["calls"] == 3
    assert "cmdstat_eval_ro" not in used


def test_the_digest_is_the_servers(storage: RedisStorage) -> None:
    for name in names():
        (sha,) = storage.exchange([("SCRIPT", "LOAD", source(name))])
        assert sha.decode() == digest(name)


def test_one_script_one_namespace(storage: RedisStorage) -> None:
    assert command(stop(), "space", cached=True)[:4] == ("EVALSHA", digest("stop"), 1, "space:")
    assert command(stop(), "space", cached=False)[:4] == ("EVAL", source("stop"), 1, "space:")


def test_scripts_that_only_read_are_called_so(storage: RedisStorage) -> None:
    """A user of the server who may not write can run them."""
    ids = add(storage, 2)
    state = JobState.PENDING
    readers: list[Call[Any]] = [overview(), find(ids[0][:4]), page([state], 5)]
    readers += [fsck_jobs(ids, repair=False), fsck_hints(state, ids, "1", repair=False)]
    for call in readers:
        assert b"no-writes" in source(call.script, call.reads).splitlines()[0]
        for cached in (False, True):
            assert str(command(call, "space", cached=cached)[0]).endswith("_RO")
        storage.run(call)
        storage.run(call)
    assert {name for name in names() if b"no-writes" in source(name)} <= {call.script for call in readers}
    assert not fsck_jobs(ids, repair=True).reads
