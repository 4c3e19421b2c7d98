"""Data from other software: valid jobs run, everything else is set aside, and nothing gets stuck."""

from __future__ import annotations

import pytest

from queuectl.errors import QueuectlError, RecordInvalid
from queuectl.manager.queue_manager import QueueManager
from queuectl.manager.selection import resolve
from queuectl.model.job import Job, Lease, Running
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import DEAD, RETRY, Outcome
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import jobs, leases
from queuectl.storage.calls.workers import WorkerState, overview
from steps import (
    EXPIRED,
    add,
    add_as,
    add_one,
    beat,
    claim,
    complete,
    fields_of,
    finish,
    ids_in,
    key,
    look,
    new_ids,
    prune,
    queue_of,
    status_of,
)

FOREIGN = "feedfeedfeedfeed"
MALFORMED = ["", "abc", "ABCDEF00", "../../etc", "xyz", "feed:feed", "a" * 33, "feed feed", "*", "fee\n"]


@pytest.mark.parametrize("place", ["idx:pending", "wake:default", "env"])
def test_a_key_of_another_type_lets_no_job_in(storage: RedisStorage, place: str) -> None:
    ids = new_ids(3)
    variables = {b"LANG": b"C"}
    if place == "env":
        place = f"env:{fields_of(storage, add(storage, variables=variables)[0])['env'].decode()}"
    storage.r.delete(key(storage, place))
    storage.r.set(key(storage, place), "a stranger's")
    before = queue_of(storage), sorted(storage.r.keys("*"))
    with pytest.raises(QueuectlError, match="WRONGTYPE"):
        add_as(storage, ids, variables=variables)
    assert (queue_of(storage), sorted(storage.r.keys("*"))) == before
    assert reads.exist(storage, ids) == [False] * 3


def push(storage: RedisStorage, *ids: str) -> None:
    """What ``redis-cli LPUSH queuectl:jobs ID`` does."""
    storage.r.lpush(key(storage, "jobs"), *ids)


def put(storage: RedisStorage, job_id: str = FOREIGN, **fields: str) -> None:
    """What ``redis-cli HSET queuectl:jobs:ID ...`` and LPUSH do."""
    storage.r.hset(storage.keys.job(job_id), mapping=fields)
    push(storage, job_id)


def test_a_hash_with_a_status_and_a_command_is_a_job(storage: RedisStorage) -> None:
    put(storage, status="pending", command="echo hi")
    assert reads.job(storage, FOREIGN) is not None
    (lease,) = claim(storage)
    assert lease == Lease(Job(FOREIGN, JobState.PROCESSING, b"echo hi", fence=1, standing=Running("pool", "")), 1)
    assert finish(storage, lease, RETRY) == "failed"
    assert finish(storage, claim(storage)[0]) == "completed"
    job = reads.job(storage, FOREIGN)
    assert job is not None
    assert (job.state, job.attempts) == (JobState.COMPLETED, 2)
    assert resolve(storage, FOREIGN) == FOREIGN
    assert prune(storage, completed_retention=0) == [FOREIGN]


def test_it_is_cleared_like_any_other(storage: RedisStorage) -> None:
    put(storage, status="pending", command="echo hi")
    assert QueueManager(storage).clear() == 1
    assert status_of(storage, FOREIGN) is JobState.CANCELLED
    assert ids_in(storage, "idx:cancelled") == [FOREIGN]


def test_an_unknown_id_is_passed_over(storage: RedisStorage) -> None:
    push(storage, FOREIGN)
    job_id = add_one(storage)
    assert [lease.job_id for lease in claim(storage, 5)] == [job_id]
    assert reads.exist(storage, [FOREIGN]) == [False]


def test_an_id_that_is_there_twice_runs_once(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    push(storage, job_id, job_id)
    assert [lease.job_id for lease in claim(storage, 5)] == [job_id]
    push(storage, job_id)
    assert claim(storage, 5) == []
    assert status_of(storage, job_id) is JobState.PROCESSING


def test_pushing_a_finished_job_does_not_run_it_again(storage: RedisStorage) -> None:
    (job_id,) = complete(storage)
    push(storage, job_id)
    assert claim(storage, 5) == []
    assert status_of(storage, job_id) is JobState.COMPLETED


@pytest.mark.parametrize("bad", MALFORMED)
def test_an_id_that_no_path_may_be_made_of_is_set_aside(storage: RedisStorage, bad: str) -> None:
    put(storage, bad, status="pending", command="echo hi")
    job_id = add_one(storage)
    assert [lease.job_id for lease in claim(storage, 5)] == [job_id]
    assert storage.run(overview()).set_aside == [bad]
    assert storage.r.lrange(key(storage, "set_aside"), 0, -1) == [bad]


@pytest.mark.parametrize("status", ["", "Pending", "running", "\x1b[31m"])
def test_so_is_a_job_of_no_known_state(storage: RedisStorage, status: str) -> None:
    put(storage, status=status, command="echo hi")
    assert claim(storage, 5) == []
    assert storage.r.lrange(key(storage, "set_aside"), 0, -1) == [FOREIGN]


def test_so_is_what_is_no_hash(storage: RedisStorage) -> None:
    storage.r.set(storage.keys.job(FOREIGN), "a string")
    push(storage, FOREIGN)
    job_id = add_one(storage)
    assert [lease.job_id for lease in claim(storage, 5)] == [job_id]
    assert storage.r.lrange(key(storage, "set_aside"), 0, -1) == [FOREIGN]
    assert storage.run(jobs.cancel([FOREIGN])) == storage.run(jobs.dlq_retry([FOREIGN])) == ["missing"]
    assert storage.run(jobs.delete(JobState.DEAD, [FOREIGN])) == []
    assert storage.run(jobs.watch(FOREIGN)) == ""
    assert storage.r.get(storage.keys.job(FOREIGN)) == "a string"


def test_what_is_set_aside_is_capped(storage: RedisStorage) -> None:
    push(storage, *(f"not an id {number}" for number in range(1_300)))
    for number in range(1_300):
        storage.r.hset(storage.keys.job(f"not an id {number}"), "status", "pending")
    while look(storage, 200).pending:
        pass
    assert storage.r.llen(key(storage, "set_aside")) == 1_000
    assert len(storage.run(overview()).set_aside) == 100


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"command": ""},
        {"command": "a\0b"},
        {"command": "x" * 200_000},
        {"command": "true", "form": "magic"},
        {"command": "true", "attempts": "many"},
        {"command": "true", "attempts": "-1"},
        {"command": "true", "attempts": "9223372036854775807"},
        {"command": "true", "timeout": "soon"},
        {"command": "true", "timeout": "nan"},
        {"command": "true", "limits": "memory=much"},
        {"command": "true", "limits": "gpus=1"},
        {"command": "true", "limits": "memory"},
        {"command": "true", "max_retries": "1.5"},
        {"command": "true", "backoff_base": "-2"},
        {"command": "true", "backoff_factor": "inf"},
    ],
    ids=lambda fields: " ".join(f"{name}={value[:9]!r}" for name, value in fields.items()) or "no command",
)
def test_a_job_that_cannot_be_run_ends_in_the_dead_letter_queue(
    storage: RedisStorage, fields: dict[str, str]
) -> None:
    put(storage, status="pending", **fields)
    job_id = add_one(storage)
    answer = look(storage, 5)
    assert [lease.job_id for lease in answer.leases] == [job_id]
    (invalid,) = answer.invalid
    assert invalid.job_id == FOREIGN
    assert invalid.reason.startswith("not a valid job: ")
    # A worker reports it together with others, whose results must not suffer.
    results = [
        (invalid, Outcome(DEAD, None, "invalid", invalid.reason), "w"),
        (answer.leases[0], Outcome("completed", 0), "w"),
    ]
    assert storage.run(leases.finish("pool", results)) == ["dead", "completed"]
    assert ids_in(storage, "idx:dead") == [FOREIGN]
    assert ids_in(storage, "idx:completed") == [job_id]
    assert ids_in(storage, "running") == []


@pytest.mark.parametrize("crashes", ["many", "1.5", "", "9223372036854775807", "nan", "-9"])
def test_a_damaged_count_of_crashes_stops_nobody(storage: RedisStorage, crashes: str) -> None:
    put(storage, status="pending", command="true", crashes=crashes)
    for _ in range(20):
        if not claim(storage, lease_seconds=EXPIRED):
            break
    beat(storage)
    assert status_of_raw(storage, FOREIGN) == b"dead"
    job_id = add_one(storage)
    assert [lease.job_id for lease in claim(storage, 5)] == [job_id]


@pytest.mark.parametrize("fence", ["old", "1.5", "", "nan", "inf", "-3", "99999999999999999999"])
def test_a_job_with_a_damaged_fence_gets_a_sound_one(storage: RedisStorage, fence: str) -> None:
    put(storage, status="pending", command="true", fence=fence)
    (lease,) = claim(storage)
    assert lease.fence >= 1
    assert finish(storage, lease) == "completed"
    assert status_of_raw(storage, FOREIGN) == b"completed"
    assert ids_in(storage, "running") == []


def test_a_job_that_cannot_be_read_says_which_field(storage: RedisStorage) -> None:
    put(storage, status="pending", command="true", timeout="soon")
    with pytest.raises(RecordInvalid, match="timeout"):
        reads.job(storage, FOREIGN)


def test_a_worker_that_cannot_be_read_hides_no_other(storage: RedisStorage) -> None:
    beat(storage, WorkerState("sound", "idle"))
    storage.r.hset(storage.keys.worker("spoiled"), mapping={"status": "idle", "pid": "many"})
    storage.r.set(storage.keys.worker("no hash"), "a string")
    storage.r.zadd(key(storage, "workers"), {"spoiled": "inf", "no hash": "inf", b"no text \xff": "inf"})
    status = QueueManager(storage).status()
    assert [worker.name for worker in status.workers] == ["sound"]


def test_rubbish_in_the_stop_signal_stops_nobody(storage: RedisStorage) -> None:
    storage.r.set(f"{storage.keys.namespace}:stop_signal", "maybe")
    add(storage)
    assert len(claim(storage)) == 1
    assert not beat(storage).stopped
    assert not storage.run(overview()).stopped


def status_of_raw(storage: RedisStorage, job_id: str) -> bytes:
    return fields_of(storage, job_id)["status"]


@pytest.mark.parametrize("score", ["inf", "-inf", "1e300", "-5"])
def test_a_score_that_is_no_time_is_passed_over(storage: RedisStorage, score: str) -> None:
    for state in JobState:
        storage.r.zadd(storage.keys.index(state.value), {FOREIGN: float(score)})
    seen = reads.activity(storage)
    assert (seen.oldest_pending_at, seen.first_finished_at) == (None, None)
