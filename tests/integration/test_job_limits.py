"""Limits of a job: memory, CPU time, output, processes. A job over its limit is killed, and the reason is shown.

The kernel enforces the limits if the tests run in a control group that they may divide; otherwise the runner does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cli import counts, enqueue, on_terminal, pool, processes_of, run, show, wait_for
from queuectl.manager.queue_manager import QueueManager
from queuectl.model.lifecycle import JobState
from queuectl.options import JobOptions
from queuectl.storage import RedisStorage
from waiting import wait_until

COMPLETED, DEAD, FAILED = JobState.COMPLETED, JobState.DEAD, JobState.FAILED

SPIN = "while :; do :; done"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def hold(megabytes: int) -> str:
    """A command that holds so much memory."""
    return f'exec {sys.executable} -c "import time; held = bytearray({megabytes} << 20); time.sleep(1000)"'


GREEDY = {
    "memory of one process": (["--memory", "100M"], hold(200), "memory limit of 100M exceeded"),
    "memory of several": (
        ["--memory", "100M"],
        f"{{ {hold(60)}; }} & {{ {hold(60)}; }} & wait",
        "memory limit of 100M exceeded",
    ),
    "CPU time": (["--cpu-time", "0.3"], SPIN, "CPU time limit of 0.3s exceeded"),
    "CPU time of many that are short": (
        ["--cpu-time", "0.5"],
        f"while :; do timeout 0.05 sh -c '{SPIN}'; done",
        "CPU time limit of 0.5s exceeded",
    ),
    "CPU time in a session of its own": (
        ["--cpu-time", "0.3"],
        f"setsid sh -c '{SPIN}' & sleep 1000",
        "CPU time limit of 0.3s exceeded",
    ),
    "output": (["--max-output", "10k"], "yes", "output limit of 10k exceeded"),
    "output of one that is over at once": (["--max-output", "5"], "echo 12345", "output limit of 5 bytes exceeded"),
    "processes": (
        ["--max-processes", "8"],
        "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; wait",
        "process limit of 8 exceeded",
    ),
    "processes in sessions of their own": (
        ["--max-processes", "8"],
        "for i in 1 2 3 4 5 6 7 8 9; do setsid -f sleep 1000; done; sleep 1000",
        "process limit of 8 exceeded",
    ),
}  # fmt: skip


def test_who_takes_more_is_ended_and_told_why(queue: RedisStorage) -> None:
    ids = {name: enqueue("--max-retries", "0", *options, command) for name, (options, command, _) in GREEDY.items()}
    with pool(queue, count=3, grace=0.5):
        for name, (_, _, reason) in GREEDY.items():
            dead = wait_for(queue, ids[name], DEAD)
            assert (dead.reason, dead.exit_code, dead.attempts, dead.crashes) == (reason, None, 1, 0), name
            wait_until(lambda job_id=ids[name]: not processes_of(job_id))
    listed = {entry["id"]: entry["reason"] for entry in run("dlq", "list", "--json").objects}
    assert listed == {ids[name]: reason for name, (_, _, reason) in GREEDY.items()}
    assert len(run("logs", ids["output"]).raw) == 10 << 10
    assert run("logs", ids["output of one that is over at once"]).raw == b"12345"


def test_who_stays_within_its_limits_is_left_alone(queue: RedisStorage) -> None:
    ample = ["--memory", "200M", "--cpu-time", "10", "--max-output", "6", "--max-processes", "20"]
    shell = enqueue(*ample, "echo 12345; (sleep 0.4 & sleep 0.4 & wait)")
    plain = enqueue(*ample, "--", "printf", "%s", "a b")
    with pool(queue, count=2):
        for job_id in (shell, plain):
            assert wait_for(queue, job_id, COMPLETED).reason == ""
    assert run("logs", shell).out == "12345\n"
    assert run("logs", plain).out == "a b"


def test_shared_memory_counts_once(queue: RedisStorage) -> None:
    """Ten processes that were forked from one still hold what it held, and no more."""
    program = (
        "import os, time; held = bytearray(30 << 20)\nfor _ in range(9):\n if not os.fork(): break\ntime.sleep(0.5)"
    )
    job_id = enqueue("--memory", "150M", "--", sys.executable, "-c", program)
    with pool(queue):
        assert wait_for(queue, job_id, COMPLETED, DEAD, FAILED).reason == ""


def test_a_breach_is_a_failed_attempt_and_is_retried(queue: RedisStorage) -> None:
    command = f"[ $QUEUECTL_ATTEMPT = 2 ] || {{ {hold(200)}; }}"
    job_id = enqueue("--memory", "100M", "--backoff-base", "0", command)
    with pool(queue):
        done = wait_for(queue, job_id, COMPLETED)
    assert (done.attempts, done.crashes, done.exit_code, done.reason) == (2, 0, 0, "")


def test_a_job_may_clean_up_when_its_cpu_time_is_used_up(queue: RedisStorage) -> None:
    job_id = enqueue("--cpu-time", "0.2", "--max-retries", "0", f"trap 'echo bye; exit 0' TERM; {SPIN}")
    with pool(queue, grace=30):
        assert wait_for(queue, job_id, DEAD).reason == "CPU time limit of 0.2s exceeded"
    assert "bye" in run("logs", job_id).out


def test_cpu_time_counts_to_the_end_however_short_a_job_is(queue: RedisStorage) -> None:
    job_id = enqueue("--cpu-time", "0.00001", "--max-retries", "0", "true")
    with pool(queue):
        assert wait_for(queue, job_id, COMPLETED, DEAD).reason == "CPU time limit of 1e-05s exceeded"


def test_limits_are_shown(queue: RedisStorage) -> None:
    job_id = enqueue("--memory", "512M", "--cpu-time", "10m", "--max-output", "1000", "true")
    assert show(job_id)["limits"] == {
        "memory": 512 << 20,
        "cpu_time": 600,
        "max_output": 1000,
        "max_processes": None,
    }
    assert "memory 512M, cpu time 10m, max output 1000 bytes" in on_terminal("show", job_id)
    assert not [line for line in run("show", enqueue("true")).lines if line.startswith("limits")]


def test_jobs_without_limits_hold_no_field_for_them(queue: RedisStorage) -> None:
    assert not queue.r.hexists(f"queuectl:jobs:{enqueue('true')}", "limits")
    limited = enqueue("--memory", "1G", "--max-processes", "9", "true")
    assert queue.r.hget(f"queuectl:jobs:{limited}", "limits") == "memory=1073741824 max_processes=9"


def test_no_limit_is_stored_if_it_was_asked_for_since_it_overrides_the_configuration(queue: RedisStorage) -> None:
    job_id = enqueue("--memory", "0", "--nice", "0", "true")
    fields = queue.r.hgetall(f"queuectl:jobs:{job_id}")
    assert fields["limits"] == "memory=0 nice=0"
    assert not {"memory", "nice"} & fields.keys()
    assert show(job_id)["limits"]["memory"] is None


def test_limits_hold_for_every_line_of_a_file_and_for_run(queue: RedisStorage) -> None:
    ids = run(
        "enqueue", "--from", "-", "--max-output", "3", "--max-retries", "0", stdin=b"echo a\necho abcd\n"
    ).lines
    with pool(queue):
        assert wait_for(queue, ids[0], COMPLETED).options.max_output == 3
        assert wait_for(queue, ids[1], DEAD).reason == "output limit of 3 bytes exceeded"
        run("run", "--max-output", "3", "--max-retries", "0", "echo abcd", code=1)
    assert counts() == {"completed": 1, "dead": 2}


def test_limits_through_the_interface_for_programs(queue: RedisStorage) -> None:
    manager = QueueManager(queue)
    job_id = manager.enqueue(b"true", JobOptions(memory="1G", cpu_time=2.5, max_processes=3))
    assert manager.job(job_id).options == JobOptions(memory=1 << 30, cpu_time=2.5, max_processes=3)
    assert manager.job(manager.enqueue(b"true")).options == JobOptions()


def test_a_limit_holds_again_after_dlq_retry(queue: RedisStorage) -> None:
    job_id = enqueue("--max-output", "3", "--max-retries", "0", "echo abcd")
    with pool(queue):
        wait_for(queue, job_id, DEAD)
        run("dlq", "retry", job_id)
        assert wait_for(queue, job_id, DEAD).fence == 2


def test_a_fork_bomb_is_ended_with_all_its_generations(queue: RedisStorage) -> None:
    """Each generation starts two more in sessions of their own. It has a bound, should the limit fail."""
    Path("bomb").write_text(
        "[ $1 = 8 ] && exec sleep 1000; setsid sh bomb $(($1+1)) & setsid sh bomb $(($1+1)) & wait"
    )
    job_id = enqueue("--max-processes", "30", "--max-retries", "0", "sh bomb 0")
    with pool(queue):
        assert wait_for(queue, job_id, DEAD).reason == "process limit of 30 exceeded"
        wait_until(lambda: not processes_of(job_id), 2)
