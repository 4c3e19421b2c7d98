"""The use cases around workers, and the figures that `status` derives."""

from __future__ import annotations

from collections import Counter

from queuectl.cli.screens.summary import sentence
from queuectl.manager.status import Status, read_status
from queuectl.manager.workers import LONGEST_PAUSE_SECONDS, Workers
from queuectl.model.lifecycle import JobState
from queuectl.model.worker import WorkerInfo
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.workers import WorkerState
from queuectl.storage.reads import Activity
from steps import add, beat, claim, run


class Clock:
    """A clock that only sleeping moves."""

    now = 0.0

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def test_waiting_for_the_stop_asks_ever_less_often_and_gives_up_in_time(valkey_storage: RedisStorage) -> None:
    beat(valkey_storage, WorkerState("pool-1", "draining"), WorkerState("pool-2", "draining"))
    clock = Clock()
    left = Workers(valkey_storage).wait_until_stopped(60.0, clock=clock, sleep=clock.sleep)
    assert (left, round(clock.now, 6)) == (2, 60.0)
    assert max(clock.pauses) == LONGEST_PAUSE_SECONDS
    assert len(clock.pauses) < 80


def test_nothing_is_waited_for_where_no_worker_is(valkey_storage: RedisStorage) -> None:
    assert Workers(valkey_storage).wait_until_stopped() == 0


def status(workers: int, activity: Activity, **jobs: int) -> Status:
    counts = {state: jobs.get(state.value, 0) for state in JobState}
    some = [WorkerInfo(f"w-{number}", "idle", "", "host", 1, 0.0, 0.0) for number in range(workers)]
    return Status(counts, some, False, [], activity, Counter(w=counts[JobState.PROCESSING]), [])


def test_jobs_that_are_claimed_ahead_count_as_waiting() -> None:
    found = status(4, Activity(100.0), processing=35, pending=10)
    assert (found.running, found.claimed, found.waiting) == (4, 31, 41)


def test_the_leases_of_another_runner_do_not_run_on_idle_workers(valkey_storage: RedisStorage) -> None:
    add(valkey_storage, 9)
    claim(valkey_storage, 3, runner="elsewhere")
    beat(valkey_storage, WorkerState("pool-1", "idle"), WorkerState("pool-2", "idle"))
    found = read_status(valkey_storage)
    assert (found.running, found.claimed, found.waiting) == (0, 3, 9)
    claim(valkey_storage, 1, runner="pool")
    found = read_status(valkey_storage)
    assert (found.running, found.claimed) == (1, 3), "its worker's record shows it only after a moment"
    claim(valkey_storage, 4, runner="pool")
    found = read_status(valkey_storage)
    assert (found.running, found.claimed, found.waiting) == (2, 6, 7)


def test_a_status_is_one_sentence() -> None:
    found = status(8, Activity(100.0, 88.0, 426, 96.0), processing=8, pending=66, completed=403, dead=23)
    assert sentence(found) == (
        "500 jobs: 8 running, 66 waiting (the oldest for 12s), 403 completed, 23 dead; 106/s, about 0.7s left"
    )
    assert sentence(status(0, Activity(100.0))) == "No jobs."
    assert sentence(status(0, Activity(100.0, 40.0, 1, 99.0), pending=1)) == (
        "1 job: 1 waiting (the oldest for 1m)"
    )


def test_the_server_tells_what_has_been_done_lately(valkey_storage: RedisStorage) -> None:
    assert reads.activity(valkey_storage)[1:] == (None, 0, None)
    run(valkey_storage, 3)
    run(valkey_storage, 2, "dead")
    add(valkey_storage, 2)
    claim(valkey_storage, 1)
    now, oldest, finished, first = reads.activity(valkey_storage)
    assert finished == 5
    assert first is not None
    assert oldest is not None
    assert now - 60 < first < oldest < now
