"""What enqueue writes, and that it writes all or nothing."""

from __future__ import annotations

import pytest

from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage, config, reads
from queuectl.storage import variables as environment
from queuectl.storage.calls import jobs
from queuectl.storage.calls.jobs import NewJob, enqueue
from queuectl.storage.calls.workers import overview
from queuectl.storage.scripts import CHUNK
from steps import (
    add,
    add_as,
    add_one,
    claim,
    fields_of,
    ids_in,
    key,
    new_ids,
    queue_of,
    status_of,
)


def test_the_hash_can_be_read_with_hgetall(storage: RedisStorage) -> None:
    job_id = add_one(storage, b"echo hello")
    fields = storage.r.hgetall(storage.keys.job(job_id))
    created_at = float(fields.pop("created_at"))
    assert fields == {
        "status": "pending",
        "attempts": "0",
        "command": "echo hello",
        "timeout": "0",
        "max_retries": "3",
        "backoff_base": "2",
        "backoff_factor": "2",
    }
    seconds, _ = storage.r.time()
    assert abs(created_at - seconds) < 60


def test_the_oldest_is_taken_first(storage: RedisStorage) -> None:
    first, second = add_one(storage), add_one(storage)
    third, fourth = add(storage, 2)
    assert queue_of(storage) == [first, second, third, fourth]
    assert ids_in(storage, "idx:pending") == [first, second, third, fourth]


def test_options_stand_above_the_config_and_that_above_the_defaults(storage: RedisStorage) -> None:
    config.write_config(storage, {"max_retries": "7", "timeout": "1.5"})
    fields = fields_of(storage, add_one(storage, timeout="30"))
    assert fields["timeout"] == b"30"
    assert fields["max_retries"] == b"7"
    assert fields["backoff_base"] == b"2"


def test_the_policy_is_fixed_at_enqueue(storage: RedisStorage) -> None:
    add(storage)
    config.write_config(storage, {"max_retries": "9"})
    assert claim(storage)[0].job.policy.max_retries == 3


def test_every_byte_of_a_command_but_nul_is_kept(storage: RedisStorage) -> None:
    command = bytes(range(1, 256))
    job_id = add_one(storage, command)
    job = reads.job(storage, job_id)
    assert job is not None
    assert job.command == command
    assert claim(storage)[0].job.command == command


def test_a_whole_chunk_goes_in_one_call(storage: RedisStorage) -> None:
    ids = new_ids(CHUNK)
    add_as(storage, ids)
    assert storage.run(overview()).jobs[JobState.PENDING] == CHUNK
    assert [lease.job_id for lease in claim(storage, CHUNK)] == ids


@pytest.mark.parametrize("taken_at", [0, 1, 2])
def test_when_one_id_is_taken_none_is_added(storage: RedisStorage, taken_at: int) -> None:
    taken = add_one(storage, b"first")
    ids = new_ids(3)
    ids[taken_at] = taken
    answer = storage.run(enqueue([NewJob(job_id, b"second") for job_id in ids]))
    assert answer == taken
    assert queue_of(storage) == [taken]
    assert fields_of(storage, taken)["command"] == b"first"
    assert reads.exist(storage, ids).count(True) == 1


def test_variables_are_stored_once_for_all_jobs_that_share_them(storage: RedisStorage) -> None:
    variables = {b"PATH": b"/bin:/\xff=odd", b"LANG": b""}
    one, two = add(storage, 2, variables=variables)
    other = add(storage, 1, variables={b"PATH": b"/bin"})[0]
    digest = fields_of(storage, one)["env"].decode()
    assert fields_of(storage, two)["env"].decode() == digest != fields_of(storage, other)["env"].decode()
    place = storage.keys.environment(digest)
    packed, jobs = storage.exchange([("HGET", place, "variables"), ("HGET", place, "jobs")])
    assert environment.unpack(packed) == variables
    assert jobs == b"2"
    assert claim(storage)[0].job.env == digest


def test_one_token_wakes_whoever_waits(storage: RedisStorage) -> None:
    add(storage, 3)
    add(storage, 3)
    assert storage.r.lrange(storage.keys.wake, 0, -1) == ["1"]


def test_a_list_of_the_wrong_type_stops_enqueue_before_anything_is_written(storage: RedisStorage) -> None:
    storage.r.set(key(storage, "jobs"), "not a list")
    ids = new_ids(2)
    with pytest.raises(Exception, match="WRONGTYPE"):
        add_as(storage, ids)
    assert reads.exist(storage, ids) == [False, False]
    assert ids_in(storage, "idx:pending") == []


def test_jobs_of_one_call_have_options_of_their_own(storage: RedisStorage) -> None:
    one, two, three = new_ids(3)
    jobs = [NewJob(one, b"a"), NewJob(two, b"b", {"timeout": "7", "limits": "memory=5"}), NewJob(three, b"c")]
    assert storage.run(enqueue(jobs, shared={"timeout": "30"})) == ""
    found = [lease.job for lease in claim(storage, 3)]
    assert [(job.id, job.command, job.options.timeout, job.options.memory) for job in found] == [
        (one, b"a", 30, 0),
        (two, b"b", 7, 5),
        (three, b"c", 30, 0),
    ]


def test_an_id_that_stands_twice_in_one_call_adds_nothing(storage: RedisStorage) -> None:
    (job_id,) = new_ids(1)
    assert storage.run(enqueue([NewJob(job_id, b"a"), NewJob(job_id, b"b")])) == job_id
    assert reads.exist(storage, [job_id]) == [False]


def test_a_stranger_in_the_place_of_the_look_up_costs_only_the_short_form_of_an_id(storage: RedisStorage) -> None:
    one, two = new_ids(2)
    storage.r.set(key(storage, f"ids:{two[:4]}"), "not a set")
    assert storage.run(enqueue([NewJob(one, b"a"), NewJob(two, b"b")])) == ""
    assert [lease.job_id for lease in claim(storage, 2)] == [one, two]


def test_a_damaged_count_of_shared_variables_refuses_no_job(storage: RedisStorage) -> None:
    add(storage, variables={b"A": b"1"})
    (shared,) = storage.r.keys(key(storage, "env:*"))
    storage.r.hset(shared, "jobs", "many")
    (job_id,) = add(storage, variables={b"A": b"1"})
    assert status_of(storage, job_id) is JobState.PENDING
    storage.run(jobs.cancel([job_id]))
    storage.run(jobs.delete(JobState.CANCELLED, [job_id]))
    assert storage.r.hget(shared, "variables"), "they are kept for the other job"
