"""Listing: every job once, those that changed last first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from queuectl.manager.queue_manager import QueueManager
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls import Position
from steps import add, add_one, bury, claim, complete, fail, finish, ids_in, key

ALL = tuple(JobState)


def listed(storage: RedisStorage, limit: int, states: Sequence[JobState] = ALL) -> list[str]:
    """All ids, page by page."""
    found: list[str] = []
    after: Position | None = None
    while (page := storage.page(states, limit, after)).end is not None:
        assert 1 <= len(page.jobs) + len(page.invalid) <= limit
        found += [job.id for job in page.jobs] + [job_id for job_id, _ in page.invalid]
        after = page.end
    return found


def test_an_empty_queue_has_one_empty_page(storage: RedisStorage) -> None:
    assert storage.page(ALL, 10) == ([], [], [], None)


def test_what_changed_last_comes_first(storage: RedisStorage) -> None:
    one, two, three = (add_one(storage) for _ in range(3))
    assert [job.id for job in storage.page(ALL, 10).jobs] == [three, two, one]
    (lease,) = claim(storage)
    finish(storage, lease)
    assert [job.id for job in storage.page(ALL, 10).jobs] == [one, three, two]


def test_only_jobs_in_the_states_asked_for(storage: RedisStorage) -> None:
    (done,), (failed,), (dead,) = complete(storage), fail(storage), bury(storage)
    pending = add_one(storage)
    wanted = {
        JobState.COMPLETED: [done],
        JobState.FAILED: [failed],
        JobState.DEAD: [dead],
        JobState.PENDING: [pending],
        JobState.PROCESSING: [],
        JobState.CANCELLED: [],
    }
    for state, ids in wanted.items():
        assert listed(storage, 10, [state]) == ids
    assert set(listed(storage, 10, [JobState.DEAD, JobState.PENDING])) == {dead, pending}


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_of_any_size_hold_every_job_once(storage: RedisStorage, limit: int) -> None:
    ids = complete(storage, 20) + bury(storage, 5) + fail(storage, 5) + add(storage, 20)
    found = listed(storage, limit)
    assert sorted(found) == sorted(ids)


def test_jobs_of_the_same_moment_are_all_listed(storage: RedisStorage) -> None:
    ids = add(storage, 480)
    QueueManager(storage).clear()
    at = storage.r.zscore(key(storage, "idx:cancelled"), ids[0])
    assert storage.r.zcount(key(storage, "idx:cancelled"), at, at) > 300, "one call, one moment"
    found = listed(storage, 50)
    assert len(found) == 480
    assert sorted(found) == sorted(ids)


def test_the_place_holds_while_jobs_come_and_go(storage: RedisStorage) -> None:
    ids = list(reversed(add(storage, 30)))
    first = storage.page(ALL, 10)
    assert [job.id for job in first.jobs] == ids[:10]
    add(storage, 15)  # at the top, where the reader has been
    storage.cancel(ids[5:12])  # and some move there, among them the one where the page ended
    second = storage.page([JobState.PENDING], 10, first.end)
    assert [job.id for job in second.jobs] == ids[12:22]


def test_a_damaged_record_is_named_and_the_others_are_shown(storage: RedisStorage) -> None:
    good, broken, gone, wrong = add(storage, 4)
    storage.r.hset(storage.keys.job(broken), "attempts", "many")
    storage.r.delete(storage.keys.job(gone))
    storage.r.delete(storage.keys.job(wrong))
    storage.r.set(storage.keys.job(wrong), "not a hash")
    page = storage.page(ALL, 10)
    assert [job.id for job in page.jobs] == [good]
    assert dict(page.invalid).keys() == {broken, gone, wrong}
    assert "attempts" in dict(page.invalid)[broken]
    assert sorted(listed(storage, 1)) == sorted([good, broken, gone, wrong])


def test_a_page_holds_whole_jobs(storage: RedisStorage) -> None:
    job_id = add_one(storage, b"\xff\xfe", timeout="1.5")
    (job,) = storage.page(ALL, 1).jobs
    assert job == storage.job(job_id)
    assert (job.command, job.options.timeout) == (b"\xff\xfe", 1.5)
    assert ids_in(storage, "idx:pending") == [job_id]
