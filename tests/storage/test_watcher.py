"""Waiting for the end of one job."""

from __future__ import annotations

from contextlib import closing
from threading import Thread

import pytest

from queuectl.errors import JobNotFound
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import COMPLETED, DEAD, RETRY
from queuectl.storage import RedisStorage
from queuectl.storage import watcher as watcher_module
from queuectl.storage.calls import jobs
from queuectl.storage.watcher import Watcher
from steps import add_one, claim, complete, fail, finish
from waiting import wait_until


def test_a_job_that_has_ended_is_not_waited_for(storage: RedisStorage) -> None:
    (job_id,) = complete(storage)
    with closing(Watcher(storage.settings, job_id)) as watcher:
        assert watcher.wait(0) is JobState.COMPLETED


@pytest.mark.parametrize("verdict", [COMPLETED, DEAD])
def test_an_end_that_comes_before_the_wait_is_seen(storage: RedisStorage, verdict: str) -> None:
    job_id = add_one(storage)
    with closing(Watcher(storage.settings, job_id)) as watcher:
        finish(storage, claim(storage)[0], verdict)
        assert watcher.wait(20) is JobState(verdict)


def test_an_end_that_comes_during_the_wait(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    (lease,) = claim(storage)
    with closing(Watcher(storage.settings, job_id)) as watcher:
        other = Thread(target=finish, args=(storage, lease))
        other.start()
        assert watcher.wait(20) is JobState.COMPLETED
        other.join()


def test_a_failure_that_is_tried_again_is_no_end(storage: RedisStorage) -> None:
    job_id = add_one(storage)
    with closing(Watcher(storage.settings, job_id)) as watcher:
        assert watcher.failures == 0
        finish(storage, claim(storage)[0], RETRY)
        assert watcher.wait(0.01) is None
        wait_until(lambda: watcher.wait(0.01) is None and watcher.failures == 1)
        storage.run(jobs.cancel([job_id]))
        assert watcher.wait(20) is JobState.CANCELLED


def test_a_failure_before_the_wait_is_seen(storage: RedisStorage) -> None:
    (job_id,) = fail(storage)
    with closing(Watcher(storage.settings, job_id)) as watcher:
        assert watcher.wait(0) is None
        assert watcher.failures == 1


def test_a_job_that_vanishes_ends_the_wait(storage: RedisStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "LOOK_SECONDS", 0.01)
    job_id = add_one(storage)
    with closing(Watcher(storage.settings, job_id)) as watcher:
        assert watcher.wait(0) is None
        storage.r.delete(storage.keys.job(job_id))
        with pytest.raises(JobNotFound, match="not in the queue any more"):
            watcher.wait(20)
