"""How queuectl works, in six short stories: read them from the top.

Each uses the `queuectl` command as you would in a terminal, and then checks the keys in Redis that show the result:
`RedisStorage().r` is a plain redis-py client. Nothing is simulated. Every test has its own state folder and server
(see conftest.py), so there is nothing to set up, and nothing to clean.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from cli import end_everything
from queuectl.storage import RedisStorage
from waiting import wait_until


def queuectl(*words: str) -> str:
    """Type a command and wait for it; return what it prints."""
    return subprocess.run(["queuectl", *words], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def run_in_new_terminal(*command: str) -> subprocess.Popen[bytes]:
    """Start a command that keeps running during this test."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


@pytest.fixture
def r(queuectl_home: Path) -> Iterator[redis.Redis]:
    """What you would see with redis-cli. The server starts on first use."""
    assert shutil.which("queuectl"), "put the folder in which queuectl is installed on PATH"
    storage = RedisStorage()
    yield storage.r
    storage.close()
    end_everything(queuectl_home)  # stops the workers if a test failed in the middle


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in the folder in which they were enqueued: here, the test's own."""
    monkeypatch.chdir(tmp_path)


def test_enqueue_and_list_jobs(r: redis.Redis) -> None:
    # `enqueue` prints only the new job's id, so a script can keep it: id=$(queuectl enqueue ...)
    job_id = queuectl("enqueue", "echo Hello, QueueCTL!")

    # The id waits in a list; everything known about the job is in a hash.
    assert r.lrange("queuectl:jobs", 0, -1) == [job_id]
    job = r.hgetall(f"queuectl:jobs:{job_id}")
    assert job["status"] == "pending"
    assert job["command"] == "echo Hello, QueueCTL!"
    assert job["attempts"] == "0"

    # A second job queues up behind it: ids go in on the left and are taken from the right.
    second = queuectl("enqueue", "--timeout", "30", "ls -la")
    assert r.lrange("queuectl:jobs", 0, -1) == [second, job_id]
    assert r.hget(f"queuectl:jobs:{second}", "timeout") == "30"

    # People see a table. A unique prefix of an id is enough to name a job.
    table = queuectl("list", "--state", "pending").splitlines()
    assert [line.split()[:2] for line in table[1:]] == [[job_id[:8], "pending"], [second[:8], "pending"]]
    assert table[1].endswith("echo Hello, QueueCTL!")
    assert queuectl("list", "--state", "failed") == ""


def test_worker_processes_job(r: redis.Redis) -> None:
    job_id = queuectl("enqueue", "echo it works; echo and so does stderr >&2")

    # In another terminal, start a worker. It runs the queued jobs, and then waits for more.
    worker = run_in_new_terminal("queuectl", "worker", "start", "--count", "2")
    wait_until(lambda: r.hget(f"queuectl:jobs:{job_id}", "status") == "completed")

    assert r.llen("queuectl:jobs") == 0
    assert r.hget(f"queuectl:jobs:{job_id}", "attempts") == "1"
    assert r.hget(f"queuectl:jobs:{job_id}", "exit_code") == "0"

    # Its output is kept.
    assert queuectl("logs", job_id[:8]) == "it works\nand so does stderr"

    # Each worker keeps a hash that says what it does. The hash expires if the worker falls silent.
    workers = list(r.scan_iter("queuectl:worker:*"))
    assert len(workers) == 2
    assert {r.hget(worker, "status") for worker in workers} <= {"idle", "busy"}
    assert all(r.ttl(worker) > 0 for worker in workers)

    # It stops when told to, and signs off.
    queuectl("worker", "stop")
    assert worker.wait(20) == 0
    assert list(r.scan_iter("queuectl:worker:*")) == []


def test_failed_job_goes_to_dlq(r: redis.Redis) -> None:
    # Two retries, with hardly a pause. Jobs take these settings when they are enqueued.
    queuectl("config", "set", "--max-retries", "2", "--backoff-base", "0.01", "--backoff-factor", "1")
    job_id = queuectl("enqueue", "echo this is attempt $QUEUECTL_ATTEMPT; no-such-command")

    # --burst: the worker exits when nothing is left to do, retries included.
    assert run_in_new_terminal("queuectl", "worker", "start", "--burst").wait(20) == 0

    # It was tried three times (once, plus two retries), and then set aside for a person.
    assert r.lrange("queuectl:dead_letter", 0, -1) == [job_id]
    job = r.hgetall(f"queuectl:jobs:{job_id}")
    assert job["status"] == "dead"
    assert job["attempts"] == "3"
    assert job["exit_code"] == "127", "what a shell gives for a command it doesn't find"
    assert r.zcard("queuectl:retry_queue") == 0

    # Every attempt has its own log; `logs` shows the newest.
    assert queuectl("logs", job_id).startswith("this is attempt 3\n")
    assert queuectl("logs", job_id, "--attempt", "1").startswith("this is attempt 1\n")

    # The person fixes the cause, and puts the job back with all its retries.
    assert job_id[:8] in queuectl("dlq", "list")
    queuectl("dlq", "retry", job_id[:8])
    assert r.lrange("queuectl:dead_letter", 0, -1) == []
    assert r.lrange("queuectl:jobs", 0, -1) == [job_id]
    assert r.hget(f"queuectl:jobs:{job_id}", "attempts") == "0"


def test_retry_and_backoff_logic(r: redis.Redis) -> None:
    # delay = backoff_base * backoff_factor ** attempt: here 0.5 s, then 1 s, then 2 s
    queuectl("config", "set", "--max-retries", "3", "--backoff-base", "0.5", "--backoff-factor", "2")
    job_id = queuectl("enqueue", "exit 3")
    key = f"queuectl:jobs:{job_id}"
    worker = run_in_new_terminal("queuectl", "worker", "start")

    # After each failure the job is `failed`, and waits in the retry queue until it is due. The score is that
    # time, and the hash has it too, so that a person can see it.
    for attempt, delay in ((1, 0.5), (2, 1.0), (3, 2.0)):
        wait_until(lambda attempt=attempt: r.hmget(key, "status", "attempts") == ["failed", str(attempt)])
        due = r.zscore("queuectl:retry_queue", job_id)
        assert due is not None
        job = r.hgetall(key)
        assert float(job["next_retry_at"]) == pytest.approx(due, abs=0.001)
        assert job["exit_code"] == "3"
        # It failed a moment after its start, and is due that long after it failed.
        assert delay <= due - float(job["started_at"]) < delay + 2

    # It is not in the dead letter queue while retries are left. We don't have to wait for them:
    # a job that waits for a retry can be cancelled.
    assert r.llen("queuectl:dead_letter") == 0
    queuectl("cancel", job_id)
    assert r.hget(key, "status") == "cancelled"
    assert r.zscore("queuectl:retry_queue", job_id) is None
    queuectl("worker", "stop", "--wait")
    assert worker.wait(20) == 0


def test_stop_and_resume_workers(r: redis.Redis) -> None:
    worker = run_in_new_terminal("queuectl", "worker", "start", "--count", "2")
    running = queuectl("enqueue", "touch started; while [ ! -e go-on ]; do sleep 0.02; done")
    wait_until(Path("started").exists)

    # The stop signal is a key that all workers, on all hosts, obey.
    queuectl("worker", "stop")
    assert r.get("queuectl:stop_signal") == "true"
    waiting = queuectl("enqueue", "echo after the break")

    # A running job is finished first; no other is started. Then the workers exit.
    assert r.hget(f"queuectl:jobs:{running}", "status") == "processing"
    assert worker.poll() is None
    Path("go-on").touch()
    assert worker.wait(20) == 0
    assert r.hget(f"queuectl:jobs:{running}", "status") == "completed"
    assert r.hget(f"queuectl:jobs:{waiting}", "status") == "pending"

    # `resume` removes the signal and starts as many workers as there were, in the background.
    queuectl("worker", "resume")
    assert r.get("queuectl:stop_signal") is None
    assert len(list(r.scan_iter("queuectl:worker:*"))) == 2
    wait_until(lambda: r.hget(f"queuectl:jobs:{waiting}", "status") == "completed")
    queuectl("worker", "stop", "--wait")
    assert list(r.scan_iter("queuectl:worker:*")) == []


def test_clear_queues(r: redis.Redis) -> None:
    jobs = [queuectl("enqueue", f"echo {number}") for number in range(3)]
    assert r.llen("queuectl:jobs") == 3

    assert queuectl("queue", "clear") == "3 pending jobs cancelled"
    assert r.llen("queuectl:jobs") == 0
    # They are cancelled, not forgotten: you can still see what they were.
    assert [r.hget(f"queuectl:jobs:{job_id}", "status") for job_id in jobs] == ["cancelled"] * 3

    # The dead letter queue has its own command. It removes jobs, so it asks for confirmation.
    dead = queuectl("enqueue", "--max-retries", "0", "false")
    assert run_in_new_terminal("queuectl", "worker", "start", "--burst").wait(20) == 0
    assert r.lrange("queuectl:dead_letter", 0, -1) == [dead]
    queuectl("queue", "clear")
    assert r.llen("queuectl:dead_letter") == 1, "clearing the queue leaves the dead alone"
    queuectl("dlq", "clear", "--yes")
    assert r.llen("queuectl:dead_letter") == 0
    assert not r.exists(f"queuectl:jobs:{dead}")
