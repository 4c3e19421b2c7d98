"""The use cases of the queue, on a real server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from queuectl.errors import AmbiguousId, BadConfiguration, InvalidInput, JobNotFound
from queuectl.manager.config import QueueConfig
from queuectl.manager.queue_manager import BATCH, QueueManager
from queuectl.manager.selection import resolve
from queuectl.model.command import EXEC, MAX_ARGUMENT_BYTES, SHELL
from queuectl.model.lifecycle import JobState
from queuectl.options import JobOptions
from queuectl.storage import RedisStorage
from steps import add_as, claim, complete, fields_of, make_dead, queue_of


@pytest.fixture
def storage(valkey_storage: RedisStorage) -> RedisStorage:
    return valkey_storage


@pytest.fixture
def manager(storage: RedisStorage) -> QueueManager:
    return QueueManager(storage)


# Enqueue


def test_a_command_becomes_a_job(manager: QueueManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job_id = manager.enqueue(b"make report")
    assert len(job_id) == 16
    assert set(job_id) <= set("0123456789abcdef")
    job = manager.job(job_id)
    assert (job.id, job.state, job.command, job.form) == (job_id, JobState.PENDING, b"make report", SHELL)
    assert (job.queue, job.attempts, job.options.timeout) == ("default", 0, 0)
    assert job.cwd == os.fsencode(tmp_path)


def test_nothing_is_added_that_can_not_be_made_durable(manager: QueueManager) -> None:
    with pytest.raises(BadConfiguration, match="no append-only file"):
        manager.enqueue(b"true", durable=True)
    assert sum(manager.counts().values()) == 0


def test_a_list_of_arguments_runs_without_a_shell(manager: QueueManager) -> None:
    job = manager.job(manager.enqueue([b"printf", b"%s", b"", b"two words", b"$HOME"]))
    assert (job.form, job.command) == (EXEC, b"printf\0%s\0\0two words\0$HOME")


def test_a_command_need_not_be_text(manager: QueueManager) -> None:
    assert manager.job(manager.enqueue(b"rm \xff\xfe")).command == b"rm \xff\xfe"


def test_some_of_the_environment_goes_along_and_no_secrets(
    manager: QueueManager, storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/opt/bin")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    digest = fields_of(storage, manager.enqueue(b"true"))["env"].decode()
    (packed,) = storage.exchange([("HGET", storage.keys.environment(digest), "variables")])
    assert b"PATH=/opt/bin" in packed.split(b"\0")
    assert b"hush" not in packed


def test_options_are_the_jobs_own(manager: QueueManager, storage: RedisStorage) -> None:
    QueueConfig(storage).change({"max_retries": 9, "backoff_factor": 3})
    job = manager.job(manager.enqueue(b"true", JobOptions(timeout=1.5, max_retries=0, backoff_base=0)))
    assert (job.options.timeout, job.policy) == (1.5, (0, 0, 3))


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": 1e9},
        {"max_retries": -1},
        {"max_retries": 1_001},
        {"max_retries": 1.5},
        {"backoff_base": -0.1},
        {"backoff_factor": 1_001},
        {"backoff_factor": float("inf")},
    ],
)
def test_options_out_of_bounds_add_nothing(
    manager: QueueManager, storage: RedisStorage, options: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        manager.enqueue(b"true", JobOptions(**options))
    assert queue_of(storage) == []


@pytest.mark.parametrize(
    "command",
    [b"", b"  \n", b"a\0b", b"x" * (MAX_ARGUMENT_BYTES + 1), [], [b""], [b"", b"a"], [b"a\0b"]],
    ids=lambda command: repr(command)[:15],
)
def test_commands_that_no_system_runs_add_nothing(
    manager: QueueManager, storage: RedisStorage, command: bytes | list[bytes]
) -> None:
    with pytest.raises(InvalidInput):
        manager.enqueue(command)
    assert queue_of(storage) == []


def test_many_are_checked_before_the_first_is_added(manager: QueueManager, storage: RedisStorage) -> None:
    commands = [b"true"] * (2 * BATCH) + [b""]
    with pytest.raises(InvalidInput, match=f"(?i)^command {2 * BATCH + 1}: the command is empty"):
        manager.enqueue_many(commands)
    assert queue_of(storage) == []


def test_many_go_in_chunks_in_their_order(manager: QueueManager, storage: RedisStorage) -> None:
    commands = [b"echo %d" % number for number in range(2 * BATCH + 7)]
    chunks: list[list[str]] = []
    ids = manager.enqueue_many(commands, on_added=chunks.append)
    assert [len(chunk) for chunk in chunks] == [BATCH, BATCH, 7]
    assert ids == [job_id for chunk in chunks for job_id in chunk]
    assert queue_of(storage) == ids
    assert manager.job(ids[-1]).command == commands[-1]


def test_jobs_of_one_call_may_have_options_of_their_own(manager: QueueManager, storage: RedisStorage) -> None:
    QueueConfig(storage).change({"max_processes": 50, "backoff_base": 1})
    ids = manager.enqueue_many(
        [
            b"a",
            (b"b", JobOptions(memory="1G")),
            (b"c", JobOptions(nice=0, timeout=7, label=["own"])),
            (b"d", JobOptions(max_processes=0)),
            b"e",
        ],
        JobOptions(nice=5, timeout=30, label=["shared"]),
    )
    shared = JobOptions(nice=5, timeout=30, label=["shared"], max_processes=50, backoff_base=1)
    assert [manager.job(job_id).options for job_id in ids] == [
        shared,
        shared | JobOptions(memory="1G"),
        shared | JobOptions(nice=0, timeout=7, label=["own"]),
        shared | JobOptions(max_processes=0),
        shared,
    ]
    leases = claim(storage, 5)
    assert [(lease.job.command, lease.job.options.nice) for lease in leases] == [
        (b"a", 5),
        (b"b", 5),
        (b"c", 0),
        (b"d", 5),
        (b"e", 5),
    ]


def test_none_are_none(manager: QueueManager) -> None:
    assert manager.enqueue_many([]) == []


def test_an_id_that_is_taken_is_drawn_again(
    manager: QueueManager, storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, free = bytes(8), b"\x01" * 8
    add_as(storage, [taken.hex()])
    drawn = iter([taken, free])
    monkeypatch.setattr(os, "urandom", lambda size: next(drawn))
    assert manager.enqueue(b"true") == free.hex()


def test_in_a_folder_that_is_gone_nothing_is_added(
    manager: QueueManager, storage: RedisStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InvalidInput, match="directory was removed"):
        manager.enqueue(b"true")
    assert queue_of(storage) == []


# Find


@pytest.mark.parametrize("given", ["abcd0001", "abcd0", "ABCD0", " abcd0001\n"])
def test_a_unique_prefix_serves(manager: QueueManager, storage: RedisStorage, given: str) -> None:
    add_as(storage, ["abcd0001", "abcd1001"])
    assert resolve(storage, given) == "abcd0001"


@pytest.mark.parametrize(
    "given",
    ["", " ", "abc", "a", "wxyz", "abcd-001", "../../etc", "abcd*", "ａｂｃｄ", "a" * 33, "x" * 500, "\x1b[31m"],
)
def test_what_is_no_id_is_no_job(storage: RedisStorage, given: str) -> None:
    with pytest.raises(JobNotFound) as caught:
        resolve(storage, given)
    assert len(caught.value.message) < 80
    assert "\x1b" not in caught.value.message


def test_an_unknown_id_is_no_job(manager: QueueManager) -> None:
    with pytest.raises(JobNotFound, match="There is no job feedfeed"):
        manager.job("feedfeed")


def test_an_ambiguous_prefix_lists_its_candidates(storage: RedisStorage) -> None:
    add_as(storage, ["abcd0002", "abcd0001", "abcd1001"])
    with pytest.raises(AmbiguousId, match="abcd0 fits 2 jobs") as caught:
        resolve(storage, "abcd0")
    assert caught.value.hint.endswith("abcd0001 abcd0002")


def test_a_full_id_is_never_ambiguous(storage: RedisStorage) -> None:
    add_as(storage, ["abcd", "abcd0001"])
    assert resolve(storage, "abcd") == "abcd"


def test_cancel_by_prefix_tells_the_id(manager: QueueManager, storage: RedisStorage) -> None:
    add_as(storage, ["abcd0001"])
    assert manager.cancel("abcd") == ("abcd0001", "cancelled")
    assert manager.cancel("abcd") == ("abcd0001", "cancelled")


# Look


def test_status_counts_every_state(manager: QueueManager, storage: RedisStorage) -> None:
    assert manager.status()[:4] == (dict.fromkeys(JobState, 0), [], False, [])
    complete(storage, 2), make_dead(storage)
    manager.enqueue(b"true"), manager.enqueue(b"true")
    claim(storage)
    counts = manager.status().jobs
    assert {state.value: count for state, count in counts.items() if count} == {
        "pending": 1,
        "processing": 1,
        "completed": 2,
        "dead": 1,
    }


def test_a_page_of_all_states_unless_some_are_named(manager: QueueManager, storage: RedisStorage) -> None:
    (done,) = complete(storage)
    waiting = manager.enqueue(b"true")
    assert [job.id for job in manager.page().jobs] == [waiting, done]
    assert [job.id for job in manager.page([JobState.COMPLETED]).jobs] == [done]
