"""Processes of jobs: none outlives its job, whatever dies and however it hides. Also the cost of a crash.

A process counts as alive unless it is a zombie: in a container, there may be nobody to reap orphans.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import (
    children_of,
    counts,
    enqueue,
    is_alive,
    job,
    kill_at_once,
    pool,
    processes_of,
    run,
    runners_of,
    wait_for,
)
from queuectl.errors import ServerUnreachable
from queuectl.logs.layout import DEFAULT_LIMIT_BYTES
from queuectl.model.job import Job
from queuectl.model.lifecycle import MAX_CRASHES, JobState
from queuectl.server.embedded import EmbeddedServer
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from waiting import wait_until

CANCELLED, COMPLETED, DEAD = JobState.CANCELLED, JobState.COMPLETED, JobState.DEAD
PENDING, PROCESSING = JobState.PENDING, JobState.PROCESSING

GRACE_SECONDS = 0.5

DAEMON = """
import os, signal, sys, time
if os.fork(): sys.exit()
os.setsid()
if os.fork(): sys.exit()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("hidden", "w").write(str(os.getpid()))
time.sleep(1000)
"""
"""A daemon: its parents are gone, it leads a session of its own, and it won't be asked to end."""

FAMILIES = {
    "a child": "sleep 1000",
    "a child in the background": "sleep 1000 & wait",
    "a grandchild": "sh -c 'sh -c \"sleep 1000; :\"; :'",
    "one that ignores SIGTERM": "trap '' TERM; while :; do sleep 0.05; done",
    "one that ignores SIGTERM, in the background": "(trap '' TERM; while :; do sleep 0.05; done) & exec sleep 1000",
    "a daemon": f"{sys.executable} -c '{DAEMON}'; sleep 1000",
    "one in a session of its own": "setsid sleep 1000 & sleep 1000",
    "one that closed its output": "exec >&- 2>&-; sleep 1000",
}

Family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def with_a_sign(family: str) -> str:
    """The command, which makes a file once all of its processes should be there."""
    ready = "while [ ! -s hidden ]; do sleep 0.01; done; touch ready" if "hidden" in family else "touch ready"
    return f"({ready}) & {family}"


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def none_is_left(job_id: str) -> Callable[[], bool]:
    return lambda: not processes_of(job_id)


# Endings ------------------------------------------------------------------------------------------


@Family
def test_a_timeout_ends_the_whole_family(queue: RedisStorage, family: str) -> None:
    with pool(queue, grace=GRACE_SECONDS):
        job_id = enqueue("--timeout", "0.7", "--max-retries", "0", with_a_sign(family))
        wait_until(Path("ready").exists)
        dead = wait_for(queue, job_id, DEAD)
        wait_until(none_is_left(job_id), GRACE_SECONDS + 2)
    assert (dead.reason, dead.attempts, dead.exit_code) == ("timed out after 0.7s", 1, None)
    if "hidden" in family:
        assert not is_alive(int(Path("hidden").read_text()))


@Family
def test_a_cancellation_ends_the_whole_family(queue: RedisStorage, family: str) -> None:
    with pool(queue, grace=GRACE_SECONDS):
        job_id = enqueue(with_a_sign(family))
        wait_until(Path("ready").exists)
        assert processes_of(job_id)
        run("cancel", job_id)
        wait_for(queue, job_id, CANCELLED)
        wait_until(none_is_left(job_id), GRACE_SECONDS + 2)
        wait_for(queue, enqueue("true"), COMPLETED)


@pytest.mark.parametrize(
    "family",
    [
        "sleep 1000 & exit 0",
        "setsid sleep 1000 & exit 0",
        "setsid sh -c 'sleep 1000 & setsid sleep 1000 & wait' & exit 0",
        f"{sys.executable} -c '{DAEMON}'; exit 0",
    ],
    ids=["in the background", "in a session of its own", "a session with children", "a daemon"],
)
def test_what_a_job_leaves_behind_is_ended(queue: RedisStorage, family: str) -> None:
    with pool(queue, grace=60):
        job_id = enqueue(family)
        wait_for(queue, job_id, COMPLETED, timeout=10)
        wait_until(none_is_left(job_id))


def test_what_hides_its_environment_is_ended_too(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue(
            "env -i setsid sh -c 'echo $$ > hidden; exec sleep 1000' & while [ ! -s hidden ]; do :; done"
        )
        wait_for(queue, job_id, COMPLETED)
        hidden = int(Path("hidden").read_text())
        wait_until(lambda: not is_alive(hidden))


def test_a_timeout_is_a_failed_attempt_and_is_retried(queue: RedisStorage) -> None:
    with pool(queue, grace=GRACE_SECONDS):
        job_id = enqueue("--timeout", "0.3", "--backoff-base", "0", "[ $QUEUECTL_ATTEMPT = 2 ] || sleep 1000")
        done = wait_for(queue, job_id, COMPLETED)
    assert (done.attempts, done.crashes, done.exit_code) == (2, 0, 0)


def test_a_job_that_cleans_up_in_its_grace_period_still_timed_out(queue: RedisStorage) -> None:
    with pool(queue, grace=30):
        job_id = enqueue(
            "--timeout", "0.3", "--max-retries", "0", "trap 'echo bye; exit 0' TERM; sleep 1000 & wait"
        )
        dead = wait_for(queue, job_id, DEAD)
    assert dead.reason == "timed out after 0.3s"
    assert "bye" in run("logs", job_id).out


# Deaths -------------------------------------------------------------------------------------------


def begin(queue: RedisStorage, family: str) -> tuple[str, list[int]]:
    """Have a job run that behaves so at first, and simply succeeds when it is run again."""
    job_id = enqueue(f"echo run >> runs; [ $(wc -l < runs) = 2 ] || {{ {with_a_sign(family)}; }}")
    wait_until(Path("ready").exists)
    wait_for(queue, job_id, PROCESSING)
    return job_id, processes_of(job_id)


def assert_run_again(queue: RedisStorage, job_id: str, processes: list[int]) -> Job:
    """The job's first processes are gone, it was run once more, and only a crash was counted."""
    done = wait_for(queue, job_id, COMPLETED)
    wait_until(lambda: not any(map(is_alive, processes)))
    assert Path("runs").read_text() == "run\nrun\n"
    assert (done.attempts, done.crashes) == (1, 1)
    return done


@pytest.mark.parametrize("name", ["a child", "one that ignores SIGTERM", "a daemon"])
def test_the_pool_is_killed(queue: RedisStorage, name: str) -> None:
    with pool(queue) as process:
        job_id, processes = begin(queue, FAMILIES[name])
        runners = runners_of(process)
        kill(process.pid)
        wait_until(lambda: not any(map(is_alive, [*processes, *runners])))
        wait_for(queue, job_id, PENDING)
        process.wait()
    with pool(queue):
        assert_run_again(queue, job_id, processes)


@pytest.mark.parametrize("name", ["a child", "one that ignores SIGTERM", "a daemon"])
def test_a_runner_is_killed(queue: RedisStorage, name: str) -> None:
    with pool(queue) as process:
        job_id, processes = begin(queue, FAMILIES[name])
        (runner,) = runners_of(process)
        kill(runner)
        assert_run_again(queue, job_id, processes)
        assert process.poll() is None
        (successor,) = runners_of(process)
        assert successor != runner


@pytest.mark.parametrize("name", ["a child", "one that ignores SIGTERM", "a daemon"])
def test_all_are_killed_at_once_and_the_next_pool_cleans_up(queue: RedisStorage, name: str) -> None:
    with pool(queue) as process:
        job_id, processes = begin(queue, FAMILIES[name])
        family = [*children_of(process.pid), process.pid]  # the guardian, too
        kill_at_once(family)
        process.wait()
        assert any(map(is_alive, processes)), "nobody was there to end them"
    with pool(queue):
        assert_run_again(queue, job_id, processes)
        assert queue.run(overview()).jobs[COMPLETED] == 1


def test_the_lease_of_a_dead_pool_ends_by_itself(queue: RedisStorage) -> None:
    with pool(queue, "--lease", "1") as process:
        job_id, _ = begin(queue, "sleep 1000")
        for record in Path(queue.settings.home, "pools").glob("*.json"):
            record.unlink()  # as if the pool had been another host's
        for pid in [*runners_of(process), process.pid]:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: queue.run(overview()).workers == [])
        with pool(queue):
            done = wait_for(queue, job_id, COMPLETED)
            assert (done.attempts, done.crashes) == (1, 1)
        for pid in [*runners_of(process), process.pid]:
            os.kill(pid, signal.SIGCONT)
        wait_until(none_is_left(job_id))
    assert job(queue, job_id) == done, "who was frozen can no longer say anything"


def test_a_job_that_kills_its_worker_ends_dead_and_the_others_go_on(queue: RedisStorage) -> None:
    with pool(queue) as process:
        poison = enqueue("echo run >> runs; kill -9 $PPID; sleep 1000")
        dead = wait_for(queue, poison, DEAD)
        assert (dead.crashes, dead.attempts) == (MAX_CRASHES, 0)
        assert "worker died (5 times)" in dead.reason
        assert Path("runs").read_text() == "run\n" * MAX_CRASHES
        assert queue.r.lrange("queuectl:dead_letter", 0, -1) == [poison]
        wait_until(none_is_left(poison))

        wait_for(queue, enqueue("true"), COMPLETED)
        assert process.poll() is None


def test_the_neighbours_of_a_poison_job_lose_nothing(queue: RedisStorage) -> None:
    with pool(queue, count=4) as process:
        poison = enqueue("kill -9 $PPID; sleep 1000")
        others = run("enqueue", "--from", "-", stdin=b"sleep 0.02\n" * 40).lines
        wait_for(queue, poison, DEAD)
        for job_id in others:
            wait_for(queue, job_id, COMPLETED)
        assert process.poll() is None
    assert counts() == {"dead": 1, "completed": 40}


# The server ---------------------------------------------------------------------------------------


def kill_server(queue: RedisStorage) -> None:
    status = EmbeddedServer(queue.settings.home).status()
    assert status.pid is not None
    pid = status.pid
    kill(pid)
    wait_until(lambda: not is_alive(pid))


def test_the_server_is_killed_while_jobs_run(queue: RedisStorage) -> None:
    with pool(queue, count=2) as process:
        held = [enqueue("echo run >> runs; until [ -e gate ]; do sleep 0.02; done") for _ in range(2)]
        for job_id in held:
            wait_for(queue, job_id, PROCESSING)
        waiting = run("enqueue", "--from", "-", stdin=b"true\n" * 50).lines
        running = {job_id: processes_of(job_id)[:1] for job_id in held}
        runners = runners_of(process)
        queue.close()
        kill_server(queue)

        # The pool starts it again, and everything is there. The jobs never noticed.
        wait_until(lambda: EmbeddedServer(queue.settings.home).status().version)
        assert counts() == {"processing": 2, "pending": 50}
        assert all(is_alive(pid) for pids in running.values() for pid in pids)
        Path("gate").touch()
        for job_id in [*held, *waiting]:
            done = wait_for(queue, job_id, COMPLETED)
            assert (done.attempts, done.crashes) == (1, 0)
        assert Path("runs").read_text() == "run\nrun\n"
        assert runners_of(process) == runners


def test_the_server_is_killed_while_results_come_in(queue: RedisStorage) -> None:
    ids = run("enqueue", "--from", "-", stdin=b"echo x >> runs\n" * 1_500).lines

    def completed() -> int:
        try:
            return queue.run(overview()).jobs[COMPLETED]
        except ServerUnreachable:  # asked just as the dead server's socket closed
            return 0

    # A claim that the server made and could not tell of any more is given back, long before its lease ends.
    with pool(queue, "--lease", "600", count=4):
        for at_least in (200, 700):
            wait_until(lambda at_least=at_least: completed() >= at_least)
            queue.close()
            kill_server(queue)
        wait_until(lambda: completed() == 1_500)
    assert all(job(queue, job_id).attempts == 1 for job_id in ids[::100])
    assert len(Path("runs").read_text().split()) >= 1_500, "at least once each"


def test_the_server_is_not_stopped_under_its_workers(queue: RedisStorage) -> None:
    with pool(queue):
        assert "worker stop" in run("server", "stop", code=1).err
        wait_for(queue, enqueue("true"), COMPLETED)
    queue.close()
    run("server", "stop")
    assert counts() == {"completed": 1}


# Output -------------------------------------------------------------------------------------------


def test_a_job_that_prints_without_end_keeps_a_bounded_log(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue("echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last")
        wait_for(queue, job_id, COMPLETED)
    (log,) = run("logs", job_id, "--json").objects
    files = list(Path(log["path"]).parent.iterdir())
    assert sum(file.stat().st_size for file in files) <= DEFAULT_LIMIT_BYTES + 100
    output = run("logs", job_id).raw
    assert output.startswith(b"first\nxxx")
    assert output.endswith(b"xxx\nlast\n")
    assert b" bytes left out here]" in output
    assert len(output) == log["bytes"]


def test_a_slow_reader_of_nothing_holds_no_job_up(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue("yes | head -c 2000000 > /dev/stderr")
        assert wait_for(queue, job_id, COMPLETED).exit_code == 0
    assert len(run("logs", job_id).raw) == 2_000_000


def test_a_job_reads_nothing_and_owns_no_terminal(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue("cat; ps -o tty= -p $$ 2>/dev/null; ls /proc/self/fd | tr '\\n' ' '")
        wait_for(queue, job_id, COMPLETED)
    *_, descriptors = run("logs", job_id).lines
    assert descriptors.split() == ["0", "1", "2", "3"], "3 is the folder that ls reads"


def test_signals_reach_a_job_as_a_shell_would_have_them(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue("grep -E 'Sig(Ign|Blk)' /proc/self/status")
        wait_for(queue, job_id, COMPLETED)
    for line in run("logs", job_id).lines:
        # 32 and 33 belong to the C library, which ignores them in whatever it spawns.
        assert int(line.split()[1], 16) & ~(0b11 << 31) == 0, line


# Idle ---------------------------------------------------------------------------------------------

LEASE_SECONDS = 1.5


def test_an_idle_pool_asks_for_nothing_but_its_heartbeat(queue: RedisStorage) -> None:
    with pool(queue, "--lease", str(LEASE_SECONDS), count=4) as process:
        runners = len(runners_of(process))
        beats = _beats(queue)
        wait_until(lambda: _beats(queue) != beats)  # all is quiet, and a heartbeat has just been
        asked, beats, began = _asked(queue), _beats(queue), time.monotonic()
        for _ in range(3):
            wait_until(lambda beats=beats: _beats(queue) != beats)
            beats = _beats(queue)
        seconds = time.monotonic() - began
        asked = _asked(queue) - asked
    # Each runner: a heartbeat in a third of the lease, and now and then one of its waits ends. A loop that
    # asked again and again would have made thousands of calls.
    assert asked <= runners * (3 * seconds / LEASE_SECONDS + 6)


def _beats(queue: RedisStorage) -> list[str | None]:
    return [queue.r.hget(key, "heartbeat") for key in sorted(queue.r.keys("queuectl:worker:*"))]


def _asked(queue: RedisStorage) -> int:
    """How many scripts and waits the server was asked for; this module asks for neither."""
    stats = queue.r.info("commandstats")
    names = ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_blpop")
    return sum(stats[name]["calls"] for name in names if name in stats)
