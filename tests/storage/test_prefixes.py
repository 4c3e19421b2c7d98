"""Finding a job by the first characters of its id."""

from __future__ import annotations

import pytest

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls import jobs
from steps import add_as, make_dead


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("abcd", ["abcd0000", "abcd0011", "abcd0012"]),
        ("abcd0", ["abcd0000", "abcd0011", "abcd0012"]),
        ("abcd001", ["abcd0011", "abcd0012"]),
        ("abcd0011", ["abcd0011"]),
        ("abcd00110", []),
        ("abce", ["abce0000"]),
        ("abcf", []),
    ],
)
def test_all_ids_that_begin_so(storage: RedisStorage, prefix: str, found: list[str]) -> None:
    add_as(storage, ["abcd0000", "abcd0011", "abcd0012", "abce0000"])
    assert sorted(storage.run(jobs.find(prefix))) == found


def test_a_full_id_is_never_ambiguous(storage: RedisStorage) -> None:
    add_as(storage, ["abcd", "abcd00", "abcd0000"])
    assert storage.run(jobs.find("abcd")) == ["abcd"]
    assert storage.run(jobs.find("abcd00")) == ["abcd00"]
    assert sorted(storage.run(jobs.find("abcd0"))) == ["abcd00", "abcd0000"]


def test_no_more_than_wanted(storage: RedisStorage) -> None:
    add_as(storage, [f"abcd{number:04x}" for number in range(50)])
    assert len(storage.run(jobs.find("abcd", limit=20))) == 20


def test_a_removed_job_is_found_no_more(storage: RedisStorage) -> None:
    (job_id,) = make_dead(storage)
    assert storage.run(jobs.find(job_id[:4])) == [job_id]
    storage.run(jobs.delete(JobState.DEAD, [job_id]))
    assert storage.run(jobs.find(job_id[:4])) == []
