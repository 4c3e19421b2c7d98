"""Scripts are called by digest, and sent again to a server that has forgotten them."""

from __future__ import annotations

from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from queuectl.storage.scripts import command, digest, names, source
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
    assert used["cmdstat_evalsha"]["calls"] == 3
    assert "cmdstat_eval" not in used


def test_the_digest_is_the_servers(storage: RedisStorage) -> None:
    for name in names():
        (sha,) = storage.exchange([("SCRIPT", "LOAD", source(name))])
        assert sha.decode() == digest(name)


def test_one_script_one_namespace(storage: RedisStorage) -> None:
    assert command(overview(), "space", cached=True)[:4] == ("EVALSHA", digest("overview"), 1, "space")
    assert command(overview(), "space", cached=False)[:4] == ("EVAL", source("overview"), 1, "space")
