"""A pool's safeguards: the guardian, fair sweeping, refused programs, a silent queue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli import children_of, enqueue, is_alive, job, pool, processes_of, run, runners_of, show, wait_for
from queuectl.model.lifecycle import JobState
from queuectl.server import binary
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from queuectl.worker.pool.cleanup import free_leases
from queuectl.worker.timers import Timers
from servers import running
from waiting import wait_until

COMPLETED, DEAD, PROCESSING = JobState.COMPLETED, JobState.DEAD, JobState.PROCESSING


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def guardian_of(process: subprocess.Popen[bytes]) -> int:
    (pid,) = set(children_of(process.pid)) - set(runners_of(process))
    return pid


def test_the_guardian_ends_the_jobs_when_pool_and_runners_are_killed_at_once(queue: RedisStorage) -> None:
    with pool(queue, count=2) as process:
        job_id = enqueue("setsid sleep 1000 & sleep 1000")
        wait_until(lambda: len(processes_of(job_id)) == 3)
        guardian = guardian_of(process)
        for pid in (process.pid, *runners_of(process)):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not processes_of(job_id))
        wait_until(lambda: not is_alive(guardian))


def test_the_guardian_acts_while_a_round_of_housekeeping_hangs_at_the_server(queue: RedisStorage) -> None:
    with pool(queue) as process:
        job_id = enqueue("sleep 1000")
        wait_until(lambda: bool(processes_of(job_id)))
        family = runners_of(process)
        server = int(queue.r.info("server")["process_id"])
        os.kill(server, signal.SIGSTOP)
        try:
            wait_until(lambda: len(runners_of(process)) > len(family))  # the round is a child of the pool, too
            (housekeeping,) = set(runners_of(process)) - set(family)
            for pid in (process.pid, *family):
                os.kill(pid, signal.SIGKILL)
            process.wait()
            wait_until(lambda: not processes_of(job_id))
            assert is_alive(housekeeping), "it hangs no more, so nothing was shown"
        finally:
            os.kill(server, signal.SIGCONT)
        wait_until(lambda: not is_alive(housekeeping))


def test_a_killed_guardian_is_replaced_and_does_the_same(queue: RedisStorage) -> None:
    with pool(queue) as process:
        first = guardian_of(process)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: set(children_of(process.pid)) - set(runners_of(process)) - {first})
        job_id = enqueue("sleep 1000")
        wait_until(lambda: bool(processes_of(job_id)))
        for pid in (process.pid, *runners_of(process)):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not processes_of(job_id))


def test_the_token_that_a_dead_runner_took_is_back_once_its_pool_has_cleaned_up(queue: RedisStorage) -> None:
    """It was killed between taking the token and claiming: it holds no lease, but nobody else knows of the work."""
    enqueue("true")
    assert queue.r.lpop("queuectl:wake:default") == "1"
    assert free_leases(queue, "dead", ["dead-1"]) == 0
    assert queue.r.llen("queuectl:wake:default") == 1


def test_pools_and_runners_have_names_of_their_own(queue: RedisStorage) -> None:
    with pool(queue, count=2) as process:
        names = {Path(f"/proc/{pid}/comm").read_text() for pid in runners_of(process)}
        assert names == {"queuectl-runner\n"}
        assert Path(f"/proc/{process.pid}/comm").read_text() == "queuectl-pool\n"


def test_what_a_running_job_left_in_the_background_lives_as_long_as_the_job(queue: RedisStorage) -> None:
    with pool(queue, count=2):
        job_id = enqueue("(setsid sleep 1000 & sleep 1000 & echo up >up); while [ ! -e gate ]; do sleep 0.05; done")
        wait_until(lambda: Path("up").exists())
        helpers = processes_of(job_id)
        for _ in range(3):  # others end beside it, and are swept up after
            wait_for(queue, enqueue("setsid sleep 1000 & echo"), COMPLETED)
        wait_until(lambda: not processes_of_others(job_id))
        assert all(is_alive(pid) for pid in helpers if pid in processes_of(job_id))
        assert len(processes_of(job_id)) >= 3
        Path("gate").touch()
        wait_for(queue, job_id, COMPLETED)
        wait_until(lambda: not processes_of(job_id))


def processes_of_others(job_id: str) -> list[int]:
    found = run("list", "--json", "--limit", "0").objects
    return [pid for entry in found if entry["id"] != job_id for pid in processes_of(entry["id"])]


def test_a_program_that_the_system_refuses_fails_its_own_job_only(queue: RedisStorage) -> None:
    """Its arguments are too long for this worker's stack: nothing that trying again in place would mend."""
    long = enqueue("--max-retries", "0", "--", "/bin/echo", *["x" * 100_000] * 9)
    program = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_STACK, (400_000, 400_000));"
    argv = [sys.executable, "-c", program + "os.execvp(sys.argv[1], sys.argv[1:])", "queuectl"]
    after = enqueue("true")
    subprocess.run([*argv, "worker", "start", "--burst", "--quiet"], check=True, timeout=60)
    refused = show(long)
    assert (refused["status"], refused["exit_code"]) == ("dead", 126)
    assert "could not be started" in refused["reason"]
    assert show(after)["status"] == "completed"


def test_a_program_whose_name_is_no_text_fails_its_own_job_only(queue: RedisStorage) -> None:
    job_id = enqueue("--max-retries", "0", "--", b"/bin/\xffnope")
    with pool(queue):
        dead = wait_for(queue, job_id, DEAD)
    assert (dead.crashes, dead.exit_code) == (0, 127)


def test_run_does_not_undo_a_stop(queue: RedisStorage) -> None:
    with pool(queue):
        run("worker", "stop", "--wait")
    assert "resume" in run("run", "true", code=1).err
    assert queue.r.get("queuectl:stop_signal") == "true"


def test_a_password_in_an_option_leaves_the_list_of_processes(queue: RedisStorage) -> None:
    path = run("server", "path").lines[0]
    url = f"unix://:{'s3cret'}@{path}"
    answer = run("--redis-url", url, "status", code=None)
    assert "s3cret" not in answer.err
    with subprocess.Popen(
        ["queuectl", "--redis-url", url, "enqueue", "--from", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        command_line = Path(f"/proc/{process.pid}/cmdline")
        wait_until(lambda: b"enqueue" in command_line.read_bytes() and b"s3cret" not in command_line.read_bytes())
        process.communicate(b"true\n", timeout=60)


def test_an_option_of_the_command_itself_is_left_to_it(queue: RedisStorage) -> None:
    url = "redis://:pw@127.0.0.1:1/0"
    answer = run("enqueue", "--json", "--", "printf", "%s", "--redis-url", url)
    assert show(answer.object["id"])["command"] == f"printf %s --redis-url {url}"


def test_what_was_there_before_the_pool_is_left_alone(queue: RedisStorage) -> None:
    """As in a container: `sidecar & exec queuectl worker start`."""
    run("enqueue", "true")
    script = "sleep 1000 & echo $! >sidecar; exec queuectl worker start --burst --quiet"
    subprocess.run(["sh", "-c", script], check=True, timeout=60)
    sidecar = int(Path("sidecar").read_text())
    assert is_alive(sidecar)
    os.kill(sidecar, signal.SIGKILL)


def test_a_pool_ends_though_its_server_is_away(queue: RedisStorage) -> None:
    with running(binary.find().path) as server:
        storage = RedisStorage(server.url)
        with pool(storage, env={"QUEUECTL_REDIS_URL": server.url}) as process:
            storage.close()
            os.kill(server.pid, signal.SIGKILL)
            process.terminate()
            assert process.wait(timeout=30) == 0


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    for number in range(10_000):
        timers.at(1e9 + number, lambda: None).cancel()
    assert len(timers._heap) < 200
    assert timers.seconds_until_next(0) is None


def test_a_job_that_waits_behind_long_ones_is_taken_by_a_free_worker(queue: RedisStorage) -> None:
    """Jobs are claimed ahead while they are short; they go back when all workers are held up."""
    commands = ["true"] * 200 + ["while [ ! -e gate ]; do sleep 0.05; done"] * 3 + ["true"] * 30
    ids = run("enqueue", "--from", "-", stdin="\n".join(commands).encode()).lines
    with pool(queue, count=4):
        wait_until(lambda: queue.run(overview()).jobs[COMPLETED] == 230)
        assert [job(queue, job_id).state for job_id in ids[200:203]] == [PROCESSING] * 3
        Path("gate").touch()
        wait_until(lambda: queue.run(overview()).jobs[COMPLETED] == 233)


REAPER = """
import signal, subprocess, threading
from queuectl.worker.attempt.attempts import Attempts
from queuectl.worker.loop import Loop
from queuectl.worker.report import Reporter

def start_servers():
    for _ in range(400):
        subprocess.run(["/bin/true"])

attempts = Attempts("r", ["r-1"], ".", 5.0, Loop([signal.SIGCHLD]), print, Reporter(verbose=False))
thread = threading.Thread(target=start_servers)
thread.start()
while thread.is_alive():
    attempts.reap()
"""


def test_a_runner_bears_that_its_connecting_thread_takes_its_own_children() -> None:
    """That thread starts the embedded server, and waits for the shell that does it."""
    assert subprocess.run([sys.executable, "-c", REAPER], timeout=60, check=False).returncode == 0


def test_nothing_is_imported_from_the_current_directory(queue: RedisStorage, tmp_path: Path) -> None:
    planted = "import pathlib; pathlib.Path(__file__).with_suffix('.imported').touch()\n"
    for name in ("queuectl", "click", "signal", "json", "subprocess", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(planted)
    run("worker", "start", "--detach")
    wait_for(queue, enqueue("true"), COMPLETED)
    run("worker", "stop", "--wait")
    assert not list(tmp_path.glob("*.imported"))
