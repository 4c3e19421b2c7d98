"""Finished jobs are removed when they expire or become too many; nothing else is."""

from __future__ import annotations

import pytest

from queuectl.manager.config import QueueConfig
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import COMPLETED, DEAD
from queuectl.options import SETTINGS
from queuectl.storage import RedisStorage, config, reads
from queuectl.storage.calls import jobs
from steps import add, claim, complete, fail, fields_of, finish_all, ids_in, key, make_dead, prune, status_of


def cancelled(storage: RedisStorage) -> str:
    (job_id,) = add(storage)
    storage.run(jobs.cancel([job_id]))
    return job_id


def test_the_young_are_kept(storage: RedisStorage) -> None:
    complete(storage, 3), make_dead(storage, 3), cancelled(storage)
    assert prune(storage) == []


def test_completed_and_cancelled_jobs_go_after_their_time(storage: RedisStorage) -> None:
    (done,), gone, (dead,) = complete(storage), cancelled(storage), make_dead(storage)
    assert set(prune(storage, completed_retention=0)) == {done, gone}
    assert reads.exist(storage, [done, gone, dead]) == [False, False, True]
    assert ids_in(storage, "idx:completed") == ids_in(storage, "idx:cancelled") == []


def test_dead_jobs_have_a_time_of_their_own(storage: RedisStorage) -> None:
    (done,), (dead,) = complete(storage), make_dead(storage)
    assert prune(storage, dead_retention=0) == [dead]
    assert reads.exist(storage, [done, dead]) == [True, False]
    assert storage.r.lrange(key(storage, "dead_letter"), 0, -1) == []


def test_jobs_that_are_not_final_are_never_removed(storage: RedisStorage) -> None:
    (failed,) = fail(storage)
    running, pending = add(storage, 2)
    claim(storage)
    assert prune(storage, completed_retention=0, dead_retention=0, max_finished=0) == []
    states = [status_of(storage, job_id) for job_id in (failed, running, pending)]
    assert states == [JobState.FAILED, JobState.PROCESSING, JobState.PENDING]


def test_of_too_many_the_oldest_go(storage: RedisStorage) -> None:
    done = [complete(storage)[0] for _ in range(5)]
    dead = [make_dead(storage)[0] for _ in range(3)]
    assert set(prune(storage, max_finished=2)) == {*done[:3], *dead[:1]}
    assert ids_in(storage, "idx:completed") == done[3:]
    assert ids_in(storage, "idx:dead") == dead[1:]


def test_the_config_stands_above_the_defaults(storage: RedisStorage) -> None:
    (done,), (dead,) = complete(storage), make_dead(storage)
    QueueConfig(storage).change({"completed_retention": 0, "dead_retention": 1000})
    assert prune(storage, dead_retention=0) == [done]
    assert reads.exist(storage, [done, dead]) == [False, True]


@pytest.mark.parametrize("rubbish", ["", "soon", "nan", "-nan", "-1", "-inf", "1e999", "0x0", " 0", "0 "])
@pytest.mark.parametrize("name", ["completed_retention", "dead_retention", "max_finished"])
def test_a_setting_that_is_none_removes_nothing(storage: RedisStorage, name: str, rubbish: str) -> None:
    complete(storage, 2), make_dead(storage, 2)
    config.write_config(storage, {name: rubbish})
    assert prune(storage) == []
    assert QueueConfig(storage).values()[name] == (SETTINGS[name].default, False)


def test_it_goes_in_chunks(storage: RedisStorage) -> None:
    complete(storage, 700)
    counts = [len(prune(storage, completed_retention=0)) for _ in range(3)]
    assert counts == [500, 200, 0]


def test_shared_variables_go_with_the_last_job(storage: RedisStorage) -> None:
    first, second = add(storage, 2, variables={b"PATH": b"/bin"})
    place = storage.keys.environment(fields_of(storage, first)["env"].decode())
    for left in (1, 0):
        finish_all(storage, claim(storage), COMPLETED)
        assert len(prune(storage, completed_retention=0)) == 1
        assert storage.r.exists(place) == left
    assert reads.exist(storage, [first, second]) == [False, False]


def test_an_index_entry_of_another_state_is_dropped_and_the_job_kept(storage: RedisStorage) -> None:
    (job_id,) = add(storage)
    storage.r.zadd(key(storage, "idx:completed"), {job_id: 1, "feedfeed": 1})
    assert prune(storage) == []
    assert ids_in(storage, "idx:completed") == []
    assert status_of(storage, job_id) is JobState.PENDING


def test_stale_hints_leave_a_long_dead_letter_list(storage: RedisStorage) -> None:
    ids = make_dead(storage, 2_500)
    middle = ids[1_100:1_200]
    storage.run(jobs.dlq_retry(middle))  # the list is too long to be searched for them
    assert storage.r.llen(key(storage, "dead_letter")) == 2_500
    for _ in range(20):
        prune(storage)
    left = storage.r.lrange(key(storage, "dead_letter"), 0, -1)
    assert sorted(left) == sorted(set(ids) - set(middle))


def test_jobs_that_die_again_and_again_do_not_lengthen_it_for_ever(storage: RedisStorage) -> None:
    ids = make_dead(storage, 1_500)
    for _ in range(4):
        storage.run(jobs.dlq_retry(ids[:400]))
        finish_all(storage, claim(storage, 400), DEAD)
        for _ in range(4):
            prune(storage)
    listed = storage.r.lrange(key(storage, "dead_letter"), 0, -1)
    assert set(listed) == set(ids)
    assert len(listed) <= 2 * len(ids)
