"""`queuectl fsck` as a command."""

from __future__ import annotations

from cli import enqueue, run
from queuectl.storage import RedisStorage


def test_a_sound_queue(queue: RedisStorage) -> None:
    enqueue("true")
    assert run("fsck").lines == ["All records fit together."]
    assert run("fsck", "--json").raw == b""


def test_it_tells_what_it_found_then_repairs_it(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    queue.r.delete("queuectl:idx:pending")
    found = run("fsck", code=1)
    assert found.lines == [f"{job_id} is pending, but not listed so (can be repaired)"]
    assert "fsck --repair" in found.err
    assert run("fsck", "--repair", "--json").objects == [
        {"id": job_id, "problem": "is pending, but not listed so", "repaired": True}
    ]
    assert run("fsck").lines == ["All records fit together."]


def test_an_id_that_is_no_text_does_no_harm(queue: RedisStorage) -> None:
    queue.r.hset("queuectl:jobs:\x1b[31m", "status", "pending")
    assert b"\x1b" not in run("fsck", code=1).raw


def test_only_what_can_be_repaired_is_said_to_be(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    queue.r.hset(f"queuectl:jobs:{job_id}", "status", "bogus")
    for words in (["fsck"], ["fsck", "--repair"]):
        found = run(*words, code=1)
        assert "(can't be repaired)" in found.out
        assert "--repair" not in found.err
        assert "1 problem can't be repaired" in found.err
    answer = run("cancel", job_id, code=1)
    assert f"The record of job {job_id} is damaged" in answer.err
    assert "already" not in answer.err
