"""`queuectl worker`: start, stop, resume, list, and what signals do."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from cli import (
    children_of,
    counts,
    end_pool,
    enqueue,
    finish,
    is_alive,
    job,
    on_terminal,
    pool,
    processes_of,
    run,
    runners_of,
    spawn,
    wait_for,
    without_colours,
)
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from waiting import wait_until

COMPLETED, PENDING, PROCESSING = JobState.COMPLETED, JobState.PENDING, JobState.PROCESSING

HELD = "until [ -e gate ]; do sleep 0.02; done"
"""A command that ends once there is a file `gate` in its directory."""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def workers() -> list[dict[str, object]]:
    return run("worker", "list", "--json").objects


def pid_in(text: str) -> int:
    found = re.search(r"\(pid (\d+)\)", text)
    assert found, text
    return int(found[1])


# Start --------------------------------------------------------------------------------------------


def test_as_many_jobs_run_at_once_as_there_are_workers(queue: RedisStorage) -> None:
    with pool(queue, count=3) as process:
        ids = [enqueue(HELD) for _ in range(5)]
        wait_until(lambda: counts() == {"processing": 3, "pending": 2})
        listed = workers()
        assert len({worker["name"] for worker in listed}) == 3
        assert {worker["pid"] for worker in listed} == {process.pid}
        assert [job(queue, each).state for each in ids] == [PROCESSING] * 3 + [PENDING] * 2, "the oldest first"
        Path("gate").touch()
        for job_id in ids:
            wait_for(queue, job_id, COMPLETED)
    assert workers() == []


def test_jobs_start_in_the_order_they_were_enqueued(queue: RedisStorage) -> None:
    lines = "".join(f"echo {number} >> order\n" for number in range(200))
    run("enqueue", "--from", "-", stdin=lines.encode())
    assert run("worker", "start", "--burst").code == 0
    assert Path("order").read_text().split() == [str(number) for number in range(200)]


def test_new_work_reaches_an_idle_worker_without_being_asked_for(queue: RedisStorage) -> None:
    with pool(queue, "--lease", "3600"):
        for _ in range(5):
            job_id = enqueue("true")
            ended = wait_for(queue, job_id, COMPLETED, timeout=10)
            assert ended.attempts == 1


def test_a_burst_ends_by_itself_when_all_is_done_retries_included(queue: RedisStorage) -> None:
    enqueue("true")
    flaky = enqueue("--backoff-base", "0.3", "echo x >> tries; [ $(wc -l < tries) = 3 ]", "--backoff-factor", "1")
    assert run("worker", "start", "--burst", "--count", "3").code == 0
    assert counts() == {"completed": 2}
    assert job(queue, flaky).attempts == 3
    assert run("worker", "start", "--burst").code == 0, "with nothing to do, too"


def test_a_burst_takes_what_its_jobs_enqueue(queue: RedisStorage) -> None:
    enqueue("queuectl enqueue 'queuectl enqueue true'")
    assert run("worker", "start", "--burst", "--count", "2").code == 0
    assert counts() == {"completed": 3}


def test_detached_workers_are_up_when_it_returns_and_outlive_it(queue: RedisStorage) -> None:
    answer = run("worker", "start", "--detach", "--count", "3")
    pid = pid_in(answer.out)
    assert len(queue.run(overview()).workers) == 3
    assert os.getsid(pid) == pid, "a session of its own: no hang-up reaches it"
    job_id = enqueue("true")
    wait_for(queue, job_id, COMPLETED)
    run("worker", "stop", "--wait")
    wait_until(lambda: not is_alive(pid))


def test_a_detached_pool_is_as_verbose_as_it_is_told(queue: RedisStorage) -> None:
    run("worker", "start", "--detach", "--verbose")
    job_id = enqueue("true")
    messages = Path(queue.settings.home, "pools", "messages.log")
    wait_until(lambda: re.search(rf" queuectl: ok \d\.\d\ds {job_id[:8]} true$", messages.read_text(), re.M))
    run("worker", "stop", "--wait")
    assert messages.stat().st_mode & 0o777 == 0o600


def test_each_message_of_a_detached_pool_says_when_and_by_which_pool(queue: RedisStorage) -> None:
    pids = [pid_in(run("worker", "start", "--detach", "--verbose").out) for _ in range(2)]
    wait_for(queue, enqueue("true"), COMPLETED)
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not any(map(is_alive, pids)))
    lines = Path(queue.settings.home, "pools", "messages.log").read_text().splitlines()
    found = [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (\d+) queuectl: (.*)", line) for line in lines]
    assert all(found), lines
    said = [(int(line[1]), line[2].split()[0]) for line in found if line]
    assert {(pid, "finishing") for pid in pids} < set(said)
    (ended,) = (word for _, word in said if word != "finishing")
    assert ended == "ok", "the time is said once, and no summary"


def test_a_verbose_pool_says_how_each_job_ended(queue: RedisStorage) -> None:
    enqueue("true")
    enqueue("--max-retries", "1", "--backoff-base", "0", "exit 7")
    enqueue("--max-retries", "0", "--timeout", "0.1", "sleep 1000")
    lines = run("worker", "start", "--burst", "--verbose").err.splitlines()
    assert {re.sub(r"^\d\d:\d\d:\d\d (\w+) \d\.\d\ds [0-9a-f]{8} ", r"\1 ", line) for line in lines[:-1]} == {
        "ok true",
        "failed exit 7, retry now: exit 7",
        "dead exit 7: exit 7",
        "dead timeout: sleep 1000",
    }
    assert re.fullmatch(r"1 job completed, 2 dead, in \d\.\d s", lines[-1])


def test_a_quiet_pool_says_nothing_of_its_jobs(queue: RedisStorage) -> None:
    enqueue("--max-retries", "0", "exit 7")
    assert run("worker", "start", "--burst", "--quiet").err == ""


def test_the_line_of_a_job_fits_a_terminal(queue: RedisStorage) -> None:
    enqueue("--max-retries", "1", "--backoff-base", "0", "exit 7 # " + "x" * 200)
    enqueue("--max-retries", "1", "--backoff-base", "0.1", "--timeout", "0.1", "sleep 1000 # " + "x" * 200)
    shown = without_colours(on_terminal("worker", "start", "--burst", "--verbose", columns=80))
    assert shown.count("x…") == 4
    assert all(len(line) <= 80 for line in shown.splitlines()), shown


def test_the_summary_counts_the_jobs_of_a_runner_that_died(queue: RedisStorage) -> None:
    for _ in range(3):
        enqueue("true")
    enqueue("[ -e killed ] || { touch killed; kill -9 $PPID; sleep 1000; }")
    said = run("worker", "start", "--burst", "--verbose", "--count", "1").err
    assert re.search(r"^4 jobs completed, in ", said, re.M), said


def test_starting_takes_a_stop_back(queue: RedisStorage) -> None:
    run("worker", "stop")
    assert queue.r.get("queuectl:stop_signal") == "true"
    assert "worker resume" in run("status").out
    with pool(queue):
        assert queue.r.get("queuectl:stop_signal") is None


def test_a_burst_ends_soon_after_the_last_job_that_another_pool_runs(queue: RedisStorage) -> None:
    with pool(queue, "--lease", "3600"):  # the end of its lease is what the burst would wait for
        held = enqueue(HELD)
        wait_for(queue, held, PROCESSING)
        burst = spawn("worker", "start", "--burst", "--lease", "3600")
        wait_until(lambda: len(workers()) == 2)
        assert burst.poll() is None
        Path("gate").touch()
        assert finish(burst).code == 0
        assert job(queue, held).state is COMPLETED


# Stop and resume ----------------------------------------------------------------------------------


def test_stop_lets_running_jobs_finish_and_waits_if_told_to(queue: RedisStorage) -> None:
    with pool(queue, count=2) as first, pool(queue) as second:
        held = [enqueue(HELD) for _ in range(3)]
        for job_id in held:
            wait_for(queue, job_id, PROCESSING)
        waiting = enqueue("true")
        stop = spawn("worker", "stop", "--wait")
        wait_until(lambda: {worker["status"] for worker in workers()} == {"draining"})
        assert stop.poll() is None
        Path("gate").touch()
        answer = finish(stop)
        assert answer.code == 0
        assert "3 workers" in answer.out
        assert (finish(first).code, finish(second).code) == (0, 0)
    assert [job(queue, each).state for each in held] == [COMPLETED] * 3
    assert job(queue, waiting).state is PENDING


def test_stop_reaches_an_idle_worker_at_once(queue: RedisStorage) -> None:
    with pool(queue, "--lease", "3600") as process:  # its next heartbeat is 20 minutes away
        run("worker", "stop", "--wait")
        assert finish(process).code == 0


def test_stop_without_workers_is_said(queue: RedisStorage) -> None:
    assert run("worker", "stop", "--wait").out.startswith("No worker")


def test_a_stop_signal_that_is_set_by_hand_is_obeyed(queue: RedisStorage) -> None:
    with pool(queue) as process:
        queue.r.set("queuectl:stop_signal", "true")
        job_id = enqueue("true")  # its worker wakes up, and sees
        assert finish(process).code == 0
    assert job(queue, job_id).state is PENDING


def test_resume_starts_as_many_workers_as_were_stopped(queue: RedisStorage) -> None:
    with pool(queue, "--lease", "17", count=3) as first, pool(queue) as second:
        run("worker", "stop", "--wait")
        assert (finish(first).code, finish(second).code) == (0, 0)  # by the stop alone: no signal reaches them
    waiting = enqueue("true")
    answer = run("worker", "resume")
    assert sorted(line.split(" again")[0] for line in answer.lines) == ["Started 1 worker", "Started 3 workers"]
    assert len(queue.run(overview()).workers) == 4
    assert queue.r.get("queuectl:stop_signal") is None
    wait_for(queue, waiting, COMPLETED)
    pids = [pid_in(line) for line in answer.lines]
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in pids]
    assert sorted(float(line[line.index(b"--lease") + 1]) for line in lines) == [17.0, 30.0], "with their options"
    run("worker", "stop", "--wait")
    wait_until(lambda: not any(map(is_alive, pids)))


def test_a_resume_right_after_a_stop_keeps_the_pool_that_still_finishes(queue: RedisStorage) -> None:
    with pool(queue, count=2) as process:
        held = enqueue(HELD)
        wait_for(queue, held, PROCESSING)
        run("worker", "stop")
        assert "continue" in run("worker", "resume").out
        Path("gate").touch()
        wait_for(queue, held, COMPLETED)
        wait_until(lambda: len(queue.run(overview()).workers) == 2)
        wait_for(queue, enqueue("true"), COMPLETED)
        assert process.poll() is None


def test_resume_brings_all_workers_back_while_one_still_finishes_a_long_job(queue: RedisStorage) -> None:
    with pool(queue, "--lease", "3600", count=4) as process:  # no heartbeat tells them
        for _ in range(2):
            held = enqueue(HELD)
            wait_for(queue, held, PROCESSING)
            run("worker", "stop")
            wait_until(lambda: len(queue.run(overview()).workers) <= 2)
            run("worker", "resume")
            wait_until(lambda: len(queue.run(overview()).workers) == 4)
            wait_for(queue, enqueue("true"), COMPLETED)
            assert job(queue, held).state is PROCESSING
            Path("gate").touch()
            wait_for(queue, held, COMPLETED)
            Path("gate").unlink()
        wait_until(lambda: {worker["status"] for worker in workers()} == {"idle"})
        run("worker", "stop", "--wait")
        assert finish(process).code == 0


def test_resume_brings_back_the_share_of_a_runner_that_died_meanwhile(queue: RedisStorage, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import queuectl.host\nqueuectl.host.processors = lambda: 3\n")
    with pool(queue, "--lease", "3600", count=3, env={"PYTHONPATH": str(tmp_path)}) as process:
        for job_id in (enqueue(HELD), enqueue(HELD)):
            wait_for(queue, job_id, PROCESSING)
        run("worker", "stop")
        wait_until(lambda: [worker["status"] for worker in workers()] == ["draining"] * 2)
        runners = [pid for pid in runners_of(process) if children_of(pid)]
        assert len(runners) == 2
        os.kill(runners[0], signal.SIGKILL)
        wait_until(lambda: len(workers()) == 1)
        run("worker", "resume")
        wait_until(lambda: len(workers()) == 3)
        Path("gate").touch()
        wait_until(lambda: queue.run(overview()).jobs[COMPLETED] == 2)


def test_a_pool_lives_on_if_whoever_waited_for_it_has_gone(queue: RedisStorage) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    job_id = enqueue("true")
    with spawn("worker", "start", "--ready-fd", str(writer), pass_fds=[writer]) as process:
        os.close(writer)
        wait_for(queue, job_id, COMPLETED)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 0


def test_a_burst_ends_at_records_of_a_later_version(queue: RedisStorage) -> None:
    enqueue("true")
    queue.r.incr("queuectl:schema")
    answer = run("worker", "start", "--burst", code=1)
    assert "newer than this queuectl" in answer.err
    queue.r.decr("queuectl:schema")


def test_workers_that_a_signal_drains_are_not_brought_back(queue: RedisStorage) -> None:
    with pool(queue) as process:
        held = enqueue(HELD)
        wait_for(queue, held, PROCESSING)
        run("worker", "stop")
        wait_until(lambda: {worker["status"] for worker in workers()} == {"draining"})
        process.send_signal(signal.SIGTERM)
        run("worker", "resume")
        Path("gate").touch()
        assert finish(process).code == 0
    assert job(queue, held).state is COMPLETED


def test_resume_without_a_stopped_pool_is_said(queue: RedisStorage) -> None:
    run("worker", "stop")
    assert "No stopped pool" in run("worker", "resume").out
    assert queue.r.get("queuectl:stop_signal") is None


def test_resume_leaves_pools_alone_that_a_signal_ended(queue: RedisStorage) -> None:
    with pool(queue) as process:
        end_pool(process)
    run("worker", "resume")
    assert workers() == []


def test_resume_minds_its_own_queue(queue: RedisStorage) -> None:
    with pool(queue) as process:
        run("worker", "stop", "--wait")
        assert finish(process).code == 0
    assert "Nothing was stopped" in run("--namespace", "other", "worker", "resume").out
    assert run("worker", "resume").out.startswith("Started 1 worker")
    run("worker", "stop", "--wait")


# Signals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_drains(queue: RedisStorage, number: int) -> None:
    with pool(queue) as process:
        running = enqueue(HELD)
        wait_for(queue, running, PROCESSING)
        waiting = enqueue("true")
        process.send_signal(number)
        wait_until(lambda: [worker["status"] for worker in workers()] == ["draining"])
        assert job(queue, running).state is PROCESSING
        Path("gate").touch()
        assert finish(process).code == 0
    assert job(queue, running).state is COMPLETED
    assert job(queue, waiting).state is PENDING


def test_the_second_signal_puts_jobs_back_without_counting_an_attempt(queue: RedisStorage) -> None:
    with pool(queue, count=2, grace=60) as process:
        first, second = enqueue("sleep 100"), enqueue("sleep 100")
        for job_id in (first, second):
            wait_for(queue, job_id, PROCESSING)
        third = enqueue("true")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: {worker["status"] for worker in workers()} == {"draining"})
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 0
        assert time.monotonic() - began < 20, "it didn't wait for the grace period, let alone for the jobs"
    for job_id in (first, second):
        back = job(queue, job_id)
        assert (back.state, back.attempts, back.crashes) == (PENDING, 0, 0)
        assert processes_of(job_id) == []
    assert queue.r.lrange("queuectl:jobs", 0, -1)[0] == third, "what had waited its turn stays in front"


def test_sigquit_stops_at_once_and_counts_nothing(queue: RedisStorage) -> None:
    with pool(queue, grace=60) as process:
        job_id = enqueue("sleep 100")
        wait_for(queue, job_id, PROCESSING)
        for pid in (*runners_of(process), process.pid):  # as a terminal does at Ctrl-\\
            os.kill(pid, signal.SIGQUIT)
        assert finish(process).code == 0
    back = job(queue, job_id)
    assert (back.state, back.attempts, back.crashes) == (PENDING, 0, 0)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM])
def test_signals_without_a_meaning_do_no_harm(queue: RedisStorage, number: int) -> None:
    with pool(queue) as process:
        job_id = enqueue(HELD)
        wait_for(queue, job_id, PROCESSING)
        before = runners_of(process)
        for pid in (*before, process.pid):
            os.kill(pid, number)
        Path("gate").touch()
        wait_for(queue, job_id, COMPLETED)
        assert runners_of(process) == before
    assert job(queue, job_id).crashes == 0


def test_a_runner_that_does_not_answer_is_reported_and_killed_at_the_second_signal(queue: RedisStorage) -> None:
    with pool(queue, "--lease", "3600", grace=1) as process:
        job_id = enqueue("kill -STOP $PPID; sleep 1000")
        wait_until(lambda: [worker["state"] for worker in workers()] == ["silent"], timeout=40)
        assert "frozen" in run("status").out
        process.send_signal(signal.SIGTERM)
        waiting = spawn("worker", "stop", "--wait")
        wait_until(lambda: queue.r.get("queuectl:stop_signal") == "true")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 0
        assert finish(waiting).code == 0
    back = job(queue, job_id)
    assert (back.state, back.crashes) == (PENDING, 1)
    assert processes_of(job_id) == []


def test_a_drained_pool_hands_on_what_it_had_claimed_ahead(queue: RedisStorage) -> None:
    with pool(queue) as process:
        run("enqueue", "--from", "-", stdin=b"true\n" * 200)  # short ones, so that some are claimed ahead
        ids = run("enqueue", "--from", "-", stdin=(HELD + "\n").encode() * 40).lines
        wait_until(lambda: counts().get("completed") == 200 and counts().get("processing"))
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: counts() == {"completed": 200, "processing": 1, "pending": 39})
        Path("gate").touch()
        assert finish(process).code == 0
    assert [job(queue, each).state for each in ids] == [COMPLETED] + [PENDING] * 39
    assert queue.r.lrange("queuectl:jobs", 0, -1) == ids[:0:-1], "in the order in which they were enqueued"
    assert all(job(queue, each).attempts == 0 for each in ids[1:])


def test_a_pool_has_no_more_processes_than_processors_for_its_workers(queue: RedisStorage) -> None:
    with pool(queue, count=4) as process:
        assert len(runners_of(process)) == min(4, len(os.sched_getaffinity(0)))
    with pool(queue, count=1) as process:
        assert len(runners_of(process)) == 1


def test_times_may_have_units(queue: RedisStorage) -> None:
    assert run("worker", "start", "--burst", "--lease", "1m", "--grace", "0.1s").code == 0
    answer = run("worker", "start", "--grace", "soon", code=2)
    assert "a number of seconds, or a time with s, m, h or d such as 90s or 1h30m, not 'soon'" in answer.err
