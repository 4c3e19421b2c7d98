"""`queuectl logs` and `queuectl run`: a job's past and live output."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from cli import (
    counts,
    enqueue,
    finish,
    is_alive,
    job,
    on_terminal,
    pool,
    program,
    run,
    show,
    spawn,
    wait_for,
    without_colours,
)
from queuectl.model.lifecycle import JobState
from queuectl.server import binary
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from servers import running
from waiting import wait_until

THREE_ATTEMPTS = ("--max-retries", "2", "--backoff-base", "0", 'echo "attempt $QUEUECTL_ATTEMPT"; exit 1')


def stdout_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def burst() -> None:
    assert run("worker", "start", "--burst").code == 0


def kill_server() -> None:
    """SIGKILL the embedded server."""
    pid = run("server", "status", "--json").object["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))


def subscribers(storage: RedisStorage, job_id: str) -> int:
    """How many follow a job."""
    ((_, count),) = storage.exchange([("PUBSUB", "SHARDNUMSUB", storage.keys.done(job_id))])
    return int(count)


# Logs ---------------------------------------------------------------------------------------------


def test_both_streams_in_the_order_they_were_written(queue: RedisStorage) -> None:
    job_id = enqueue("echo 1; echo 2 >&2; echo 3; printf 4")
    burst()
    assert run("logs", job_id).raw == b"1\n2\n3\n4"


def test_every_attempt_has_a_log_of_its_own(queue: RedisStorage) -> None:
    job_id = enqueue(*THREE_ATTEMPTS)
    burst()
    assert run("logs", job_id).out == "attempt 3\n"
    for attempt in (1, 2, 3):
        assert run("logs", job_id, "--attempt", str(attempt)).out == f"attempt {attempt}\n"
    everything = run("logs", job_id, "--all")
    assert [line.split()[1:3] for line in everything.err.splitlines()] == [["attempt", number] for number in "123"]
    assert everything.out == "attempt 1\nattempt 2\nattempt 3\n"
    listed = run("logs", job_id, "--json").objects
    assert [(each["attempt"], each["bytes"]) for each in listed] == [(1, 10), (2, 10), (3, 10)]
    paths = [Path(each["path"]) for each in listed]
    assert len(set(paths)) == 3
    for path in paths:
        assert path.is_relative_to(Path(queue.settings.home) / "logs")
        assert path.stat().st_mode & 0o7777 == 0o600
        assert path.parent.stat().st_mode & 0o077 == 0
    assert "attempt 4" in run("logs", job_id, "--attempt", "4", code=1).err


def test_the_last_lines(queue: RedisStorage) -> None:
    job_id = enqueue("seq 100000")
    burst()
    assert run("logs", job_id, "--tail", "3").lines == ["99998", "99999", "100000"]
    assert run("logs", job_id, "--tail", "0").raw == b""
    assert len(run("logs", job_id, "-n", "1000000").lines) == 100_000


def test_a_job_without_output_says_so_to_people_only(queue: RedisStorage) -> None:
    silent, waiting = enqueue("true"), enqueue("--timeout", "1", "true")
    run("cancel", waiting)
    burst()
    assert run("logs", silent) == (0, b"", "")
    assert "It printed nothing, or its worker has another state folder" in on_terminal("logs", silent, columns=400)
    assert "has not run" in on_terminal("logs", waiting)


def test_a_log_of_another_host_is_there(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    burst()
    queue.r.hset(f"queuectl:jobs:{job_id}", "owner", "elsewhere-3fa2c1")
    answer = run("logs", job_id, code=1)
    assert f"ran on host elsewhere, and its log is there. On that host: queuectl logs {job_id[:8]}" in answer.err
    assert "ran on host elsewhere" in run("logs", "-f", job_id, code=1).err


def test_a_job_that_certainly_printed_nothing_is_said_to(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue("true")
        wait_for(queue, job_id, JobState.COMPLETED)
        shown = without_colours(on_terminal("logs", job_id, columns=200))
        assert shown.strip() == "It printed nothing."
        assert "It printed nothing." in on_terminal("logs", "-f", job_id, columns=200)


def test_several_jobs_have_a_heading_each(queue: RedisStorage) -> None:
    first, silent, last = enqueue("echo 1; printf 2"), enqueue("true"), enqueue("echo 3")
    burst()
    answer = run("logs", first, silent, "ffff", last, code=3)
    assert answer.out == f"==> {first[:8]} <==\n1\n2\n==> {silent[:8]} <==\n\n==> {last[:8]} <==\n3\n"
    assert "There is no job ffff" in answer.err
    assert [each["id"] for each in run("logs", first, last, "--json").objects] == [first, last]
    assert run("logs", first, last, "-n", "1").out == f"==> {first[:8]} <==\n2\n==> {last[:8]} <==\n3\n"


def test_several_jobs_are_followed_at_once(queue: RedisStorage, tmp_path: Path) -> None:
    script = "cd {}; echo {}1; until [ -e go{} ]; do sleep 0.02; done; echo {}2"
    ids = [enqueue(script.format(tmp_path, name, name, name)) for name in "ab"]
    a, b = (f"==> {job_id[:8]} <==\n" for job_id in ids)
    with pool(queue, count=2):
        for job_id, word in zip(ids, ("a1", "b1"), strict=True):
            wait_until(lambda job_id=job_id, word=word: word in run("logs", job_id).out)
        process = spawn("logs", "-f", *ids)
        out = stdout_of(process)
        assert b"".join(out.readline() for _ in range(5)).decode() == f"{a}a1\n\n{b}b1\n"
        (tmp_path / "gob").touch()
        assert out.readline() == b"b2\n"
        wait_for(queue, ids[1], JobState.COMPLETED)
        (tmp_path / "goa").touch()
        assert finish(process) == (0, f"\n{a}a2\n".encode(), "")


def test_following_from_the_last_lines(queue: RedisStorage, tmp_path: Path) -> None:
    job_id = enqueue(f"cd {tmp_path}; seq 1000; until [ -e go ]; do sleep 0.02; done; echo end")
    with pool(queue):
        wait_until(lambda: "1000" in run("logs", job_id, "-n", "1").out)
        process = spawn("logs", "-f", "-n", "2", job_id)
        out = stdout_of(process)
        assert [out.readline(), out.readline()] == [b"999\n", b"1000\n"]
        (tmp_path / "go").touch()
        assert finish(process)[:2] == (0, b"end\n")
    assert run("logs", "-fn", "1", job_id).lines == ["end"]
    assert "--follow goes with --tail" in run("logs", "-f", "--all", job_id, code=2).err


def test_following_exits_with_0_only_if_all_jobs_completed(queue: RedisStorage) -> None:
    good, dead = enqueue("true"), enqueue("--max-retries", "0", "exit 7")
    burst()
    assert run("logs", "-f", good).code == 0
    assert f"Job {dead[:8]} is dead: exit code 7" in run("logs", "-f", dead, code=1).err
    run("logs", "-f", good, dead, code=1)
    run("logs", "-f", dead, good, code=1)


def test_output_is_followed_as_it_comes_through_all_attempts(queue: RedisStorage, tmp_path: Path) -> None:
    script = (
        f'cd {tmp_path}; echo "attempt $QUEUECTL_ATTEMPT"; touch begun$QUEUECTL_ATTEMPT;'
        " until [ -e go$QUEUECTL_ATTEMPT ]; do sleep 0.02; done; echo more; [ $QUEUECTL_ATTEMPT = 2 ]"
    )
    job_id = enqueue("--backoff-base", "0.1", script)
    process = spawn("logs", "--follow", job_id)
    with pool(queue):
        out = stdout_of(process)
        for attempt in (b"1", b"2"):
            assert out.readline() == b"attempt " + attempt + b"\n", "while the job waits for us"
            assert process.poll() is None
            (tmp_path / f"go{attempt.decode()}").touch()
            assert out.readline() == b"more\n"
        assert finish(process)[:2] == (0, b"")
    assert job(queue, job_id).state is JobState.COMPLETED


def test_following_a_job_that_is_over_gives_all_and_ends(queue: RedisStorage) -> None:
    job_id = enqueue("seq 1000")
    burst()
    assert len(run("logs", "-f", job_id).lines) == 1_000


def test_following_ends_when_the_job_is_cancelled_before_it_ran(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    process = spawn("logs", "-f", job_id)
    wait_until(lambda: queue.r.hexists(f"queuectl:jobs:{job_id}", "ties"))
    run("cancel", job_id)
    assert finish(process).code == 1


# Run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_run_exits_with_the_jobs_code(queue: RedisStorage, code: int) -> None:
    with pool(queue):
        answer = run("run", "--max-retries", "0", f"echo out; exit {code}", code=code)
    assert answer.out == "out\n"
    (job_id,) = [each["id"] for each in run("list", "--json").objects]
    assert answer.err == ("" if code == 0 else f"Job {job_id[:8]} is dead: exit code {code}\n")


def test_run_tells_how_a_job_was_ended(queue: RedisStorage, tmp_path: Path) -> None:
    with pool(queue, grace=0.1):
        assert (
            "timed out after 0.2s"
            in run("run", "--timeout", "0.2", "--max-retries", "0", "sleep 100", code=124).err
        )
        run("run", "--max-retries", "0", "kill -9 $$", code=137)
        run("run", "--max-retries", "0", "--", "no-such-program", code=127)
        process = spawn("run", "echo begun; sleep 100")
        assert stdout_of(process).readline() == b"begun\n"
        run("cancel", queue.r.zrange("queuectl:running", 0, -1)[0])
        assert finish(process).code == 125


def test_run_gives_the_code_of_the_last_attempt(queue: RedisStorage) -> None:
    with pool(queue):
        answer = run(
            "run",
            "--max-retries",
            "2",
            "--backoff-base",
            "0",
            "echo $QUEUECTL_ATTEMPT; exit $((3 - QUEUECTL_ATTEMPT))",
        )
    assert answer.out == "1\n2\n3\n"


def test_run_streams_the_output_as_it_comes(queue: RedisStorage, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with pool(queue):
        process = spawn("run", f"echo first; until [ -e {gate} ]; do sleep 0.02; done; echo last")
        assert stdout_of(process).readline() == b"first\n"
        assert counts() == {"processing": 1}
        gate.touch()
        assert finish(process) == (0, b"last\n", "")


def test_run_with_arguments_and_bytes(queue: RedisStorage) -> None:
    with pool(queue):
        assert run("run", "--", "printf", r"%s|\0\377", "a  b").raw == b"a  b|\0\xff"


def test_run_without_a_worker_starts_one_for_this_job(queue: RedisStorage, tmp_path: Path) -> None:
    answer = run("run", "--max-retries", "0", "echo $QUEUECTL_WORKER; exit 6", code=6)
    assert answer.err.startswith("No worker is running")
    assert answer.out.startswith(os.uname().nodename)
    wait_until(lambda: not queue.run(overview()).workers)
    assert counts() == {"dead": 1}


def test_run_uses_the_workers_that_are_there(queue: RedisStorage) -> None:
    with pool(queue):
        (worker,) = queue.run(overview()).workers
        assert run("run", "echo $QUEUECTL_WORKER") == (0, f"{worker}\n".encode(), "")


def test_run_waits_for_its_turn(queue: RedisStorage, tmp_path: Path) -> None:
    before = [enqueue(f"echo {number} >> order", cwd=tmp_path) for number in (1, 2)]
    run("run", "echo 3 >> order", cwd=tmp_path)
    assert (tmp_path / "order").read_text() == "1\n2\n3\n"
    assert all(show(job_id)["status"] == "completed" for job_id in before)


def test_run_into_a_pipe_that_closes(queue: RedisStorage) -> None:
    with pool(queue):
        script = f"{program()} run 'yes | head -c 3000000' | head -n 1"
        done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
        assert done.stdout == b"y\n"
        assert b"That does not stop the job" in done.stderr
        (job_id,) = [each["id"] for each in run("list", "--json").objects]
        wait_for(queue, job_id, JobState.COMPLETED)


def test_run_says_nothing_of_output_that_there_was_none(queue: RedisStorage) -> None:
    assert "no output" not in on_terminal("run", "true"), "by a temporary worker"
    with pool(queue):
        assert on_terminal("run", "true") == ""


def test_run_says_where_to_look_if_the_worker_has_another_state_folder(queue: RedisStorage, tmp_path: Path) -> None:
    env = {"QUEUECTL_REDIS_URL": f"unix://{run('server', 'path').out.strip()}"}
    with pool(queue):
        shown = on_terminal("run", "echo there", env=env | {"QUEUECTL_HOME": str(tmp_path / "other")})
    assert "has another state folder" in " ".join(shown.split())


def told(shown: str) -> list[str]:
    """The lines that were shown, without the seconds until a retry."""
    return re.sub(r"retry (in \d+(\.\d)?(s| ms)|now)", "retry in Ns", without_colours(shown)).splitlines()


def test_run_tells_a_person_that_an_attempt_failed_and_when_the_next_one_follows(queue: RedisStorage) -> None:
    with pool(queue):
        job = ("--max-retries", "2", "--backoff-base", "1", "echo at $QUEUECTL_ATTEMPT; exit 3")
        shown = told(on_terminal("run", *job, code=3))
        assert shown[:-1] == [
            "at 1",
            "Attempt 1 of 3 failed: exit code 3; retry in Ns",
            "--- attempt 2 ---",
            "at 2",
            "Attempt 2 of 3 failed: exit code 3; retry in Ns",
            "--- attempt 3 ---",
            "at 3",
        ]
        assert shown[-1].endswith("is dead: exit code 3")
        plain = run("run", *job, code=3)
        assert plain.raw == b"at 1\nat 2\nat 3\n"
        assert plain.err.count("\n") == 1, "only how it ended"


@contextmanager
def messages_on_terminal(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[str]]]:
    """`queuectl WORDS`, its stderr alone on a terminal, and what it says there."""
    ours, theirs = pty.openpty()
    process = spawn(*words, stderr=theirs)
    os.close(theirs)
    with open(ours, encoding="utf-8") as messages:
        yield process, messages


def test_followers_tell_of_a_failure_without_output_that_came_before_them(queue: RedisStorage) -> None:
    with pool(queue, grace=0.1):
        job_id = enqueue("--backoff-base", "1000", "--timeout", "0.1", "sleep 100")
        wait_for(queue, job_id, JobState.FAILED)
    with messages_on_terminal("logs", "-f", job_id) as (process, messages):
        shown = without_colours(messages.readline())
        assert shown.startswith("Attempt 1 of 4 failed: timed out after 0.1s; retry in 16m")
        run("cancel", job_id)
        assert finish(process)[:2] == (1, b"")


def test_run_tells_that_its_worker_died(queue: RedisStorage, tmp_path: Path) -> None:
    script = (
        f"cd {tmp_path}; echo begun; until grep -qs begun {queue.settings.home}/logs/*/*.log; do sleep 0.02; done;"
        " [ -e died ] || { touch died; kill -9 $PPID; sleep 1000; }; until [ -e go ]; do sleep 0.02; done"
    )
    with pool(queue), messages_on_terminal("run", script) as (process, messages):
        assert without_colours(messages.readline()) == "Its worker died (1 of 5); it is run again\n"
        assert without_colours(messages.readline()) == "--- attempt 1 ---\n"
        (tmp_path / "go").touch()
        assert finish(process)[:2] == (0, b"begun\nbegun\n")


def test_run_says_that_its_job_outlives_the_reader_of_its_output(queue: RedisStorage, tmp_path: Path) -> None:
    with pool(queue):
        command = "echo one; until [ -e gate ]; do echo more; sleep 0.02; done"
        with spawn("run", command, cwd=tmp_path) as running:
            assert stdout_of(running).readline() == b"one\n"
            stdout_of(running).close()
            assert running.wait(20) == 141
            assert running.stderr is not None
            (said,) = running.stderr.read().decode().splitlines()
        (job_id,) = (found["id"] for found in run("list", "--json").objects)
        assert said.endswith(f"That does not stop the job: queuectl logs -f {job_id[:8]}")
        (tmp_path / "gate").touch()
        wait_for(queue, job_id, JobState.COMPLETED)


# An outage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 7])
def test_run_outlasts_a_server_that_is_killed(queue: RedisStorage, tmp_path: Path, code: int) -> None:
    script = f"cd {tmp_path}; echo begun; until [ -e go ]; do sleep 0.02; done; echo over; exit {code}"
    process = spawn("run", "--max-retries", "0", script)
    assert stdout_of(process).readline() == b"begun\n"
    kill_server()
    (tmp_path / "go").touch()
    answer = finish(process)
    assert (answer.code, answer.raw) == (code, b"over\n")
    assert "Traceback" not in answer.err


def test_following_outlasts_a_server_that_is_killed_again_and_again(queue: RedisStorage, tmp_path: Path) -> None:
    script = "cd {}; echo begun; until [ -e {} ]; do sleep 0.02; done; echo {}"
    ids = [enqueue(script.format(tmp_path, name, name)) for name in "ab"]
    with pool(queue, count=2):
        process = spawn("logs", "-f", *ids)
        out = stdout_of(process)
        for name in "ab":
            while out.readline() != b"begun\n":
                pass
            kill_server()
            (tmp_path / name).touch()
        answer = finish(process)
        assert answer.code == 0
        assert b"b\n" in answer.raw
        assert "Traceback" not in answer.err
    queue.close()


def test_following_gives_up_when_its_patience_ends(queue: RedisStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(binary.find().path) as server:
        monkeypatch.setenv("QUEUECTL_REDIS_URL", server.url)
        job_id = enqueue("true")
        process = spawn("logs", "-f", "--patience", "0.2", job_id)
        storage = RedisStorage(server.url)
        wait_until(lambda: subscribers(storage, job_id) == 1)
        storage.close()
    answer = finish(process)
    assert answer.code == 69
    assert "Error: No server answers" in answer.err or "Error: Lost the server" in answer.err


def test_patience_needs_following(queue: RedisStorage) -> None:
    assert "it goes with --follow" in run("logs", enqueue("true"), "--patience", "5", code=2).err


def test_many_jobs_are_followed_over_two_connections(named_queue: RedisStorage) -> None:
    ids = run("enqueue", "--from", "-", stdin=b"true\n" * 1_100).lines
    process = spawn("logs", "-f", *ids)
    wait_until(lambda: subscribers(named_queue, ids[-1]) == 1)
    run("queue", "clear")
    answer = finish(process)
    assert (answer.code, answer.err.count("is cancelled")) == (1, 1_100)
    assert answer.err.count("no worker is running") == 1, "once, not for each job"
