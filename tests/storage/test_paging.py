"""Listing: every job once, in a known order, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from queuectl.manager.queue_manager import QueueManager
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs
from steps import add, add_one, beat, claim, complete, fail, finish, ids_in, key, make_dead

ALL = tuple(JobState)


def listed(storage: RedisStorage, limit: int, states: Sequence[JobState] = ALL) -> list[str]:
    """All ids, page by page."""
    found: list[str] = []
    after = ""
    while (page := storage.run(jobs.page(states, limit, after))).end:
        assert 1 <= len(page.jobs) + len(page.invalid) <= limit
        found += [job.id for job in page.jobs] + [job_id for job_id, _ in page.invalid]
        after = page.end
    return found


def test_an_empty_queue_has_one_empty_page(storage: RedisStorage) -> None:
    assert storage.run(jobs.page(ALL, 10)) == ([], [], [], "")


def test_what_changed_last_comes_first(storage: RedisStorage) -> None:
    one, two, three = (add_one(storage) for _ in range(3))
    assert [job.id for job in storage.run(jobs.page(ALL, 10)).jobs] == [three, two, one]
    (lease,) = claim(storage)
    finish(storage, lease)
    assert [job.id for job in storage.run(jobs.page(ALL, 10)).jobs] == [one, three, two]


def test_only_jobs_in_the_states_asked_for(storage: RedisStorage) -> None:
    (done,), (failed,), (dead,) = complete(storage), fail(storage), make_dead(storage)
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
    ids = complete(storage, 20) + make_dead(storage, 5) + fail(storage, 5) + add(storage, 20)
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
    first = storage.run(jobs.page(ALL, 10))
    assert [job.id for job in first.jobs] == ids[:10]
    add(storage, 15)  # at the top, where the reader has been
    storage.run(jobs.cancel(ids[5:12]))  # and some move there, among them the one where the page ended
    second = storage.run(jobs.page([JobState.PENDING, JobState.DEAD], 10, first.end))
    assert [job.id for job in second.jobs] == ids[12:22]


def test_a_damaged_record_is_named_and_the_others_are_shown(storage: RedisStorage) -> None:
    good, broken, gone, wrong = add(storage, 4)
    storage.r.hset(storage.keys.job(broken), "attempts", "many")
    storage.r.delete(storage.keys.job(gone))
    storage.r.delete(storage.keys.job(wrong))
    storage.r.set(storage.keys.job(wrong), "not a hash")
    page = storage.run(jobs.page(ALL, 10))
    assert [job.id for job in page.jobs] == [good]
    assert dict(page.invalid).keys() == {broken, gone, wrong}
    assert "attempts" in dict(page.invalid)[broken]
    assert sorted(listed(storage, 1)) == sorted([good, broken, gone, wrong])


def test_a_page_holds_whole_jobs(storage: RedisStorage) -> None:
    job_id = add_one(storage, b"\xff\xfe", timeout="1.5")
    (job,) = storage.run(jobs.page(ALL, 1)).jobs
    assert job == reads.job(storage, job_id)
    assert (job.command, job.options.timeout) == (b"\xff\xfe", 1.5)
    assert ids_in(storage, "idx:pending") == [job_id]


def test_heartbeats_between_two_pages_lose_no_running_job(storage: RedisStorage) -> None:
    ids = add(storage, 6)
    leases = claim(storage, 6, lease_seconds=3)
    found: list[str] = []
    after = ""
    while (page := storage.run(jobs.page(ALL, 2, after))).end:
        found += [job.id for job in page.jobs]
        after = page.end
        beat(storage, waiting=leases, lease_seconds=3 + len(found))
    assert found == sorted(ids)


def test_jobs_that_run_come_first_then_retries_soonest_first_then_the_latest_changes(storage: RedisStorage) -> None:
    later, sooner = fail(storage, delay=200), fail(storage, delay=100)
    done = complete(storage)
    running = sorted(add(storage, 2))
    claim(storage, 2)
    waiting = add(storage, 2)
    assert listed(storage, 3) == [*running, *sooner, *later, *reversed(waiting), *done]


@pytest.mark.parametrize("states", [[JobState.PENDING], [JobState.PROCESSING, JobState.FAILED, JobState.PENDING]])
def test_pending_jobs_without_finished_ones_are_listed_in_the_order_of_work(
    storage: RedisStorage, states: list[JobState]
) -> None:
    complete(storage)
    ids = add(storage, 25)
    assert listed(storage, 10, states) == ids
    assert [lease.job_id for lease in claim(storage, 3)] == ids[:3]


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.COMPLETED, JobState.FAILED, JobState.PROCESSING])
def test_a_page_goes_on_where_it_ended_when_that_job_has_left(storage: RedisStorage, state: JobState) -> None:
    index = storage.keys.index(state.value)
    ids = [f"{number:04x}" for number in range(100)]
    storage.r.zadd(index, dict.fromkeys(ids, 7.25))  # all of one moment
    page = storage.run(jobs.page([state], 10))
    seen = [job_id for job_id, _ in page.invalid]
    storage.r.zrem(index, *seen)
    assert sorted(seen + listed_from(storage, state, page.end)) == ids


def listed_from(storage: RedisStorage, state: JobState, after: str) -> list[str]:
    return [job_id for job_id, _ in storage.run(jobs.page([state], 1_000, after)).invalid]


def test_ids_that_are_no_text_do_not_stop_a_walk(storage: RedisStorage) -> None:
    for index in ("running", "retry_queue", "idx:pending"):
        storage.exchange(
            [("ZADD", key(storage, index), "1", b"\xff\xfe"), ("ZADD", key(storage, index), "1", b"\xfd")]
        )
    assert len(listed(storage, 1, [JobState.PROCESSING, JobState.FAILED, JobState.PENDING])) == 6


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.COMPLETED, JobState.FAILED])
def test_a_page_costs_a_page_however_many_jobs_share_one_moment(storage: RedisStorage, state: JobState) -> None:
    index = storage.keys.index(state.value)
    storage.r.zadd(index, {f"{number:06x}": 7.25 for number in range(20_000)})
    storage.run(jobs.page([state], 1))
    half = f"{2 if state is JobState.FAILED else 3}:7.25:{10_000:06x}"
    storage.r.config_resetstat()
    assert len(storage.run(jobs.page([state], 5, half)).invalid) == 5
    calls = storage.r.info("commandstats")
    reads = sum(calls.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("zrange", "zrevrange", "zcount"))
    assert reads < 25
