"""A process that got the pid of one of ours is never touched: we identify a process by more than its pid."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli import children_of, enqueue, kill_at_once, pool, processes_of, run, wait_for
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from waiting import wait_until

COMPLETED, DEAD = JobState.COMPLETED, JobState.DEAD

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(LAST_PID, os.W_OK), reason="only root may choose the pid of a process"
)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def innocents(pids: list[int]) -> Iterator[None]:
    """Processes with just these pids, which have ended; they must be there at the end of the block, too."""
    found: list[subprocess.Popen[bytes]] = []
    try:
        for pid in pids:
            found.append(innocent(pid))
        yield
        assert [process.poll() for process in found] == [None] * len(found), "an innocent process was touched"
    finally:
        for process in found:
            process.kill()
            process.wait()


def innocent(pid: int) -> subprocess.Popen[bytes]:
    """A process with this pid; others may be faster to take the next one, so it is tried again."""
    for _ in range(200):
        LAST_PID.write_text(str(pid - 1))
        process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    pytest.skip(f"somebody else has the pid {pid}")


def test_what_a_job_with_limits_had_started(queue: RedisStorage) -> None:
    """The runner has seen the process among the job's; it ends, and an innocent one gets its pid."""
    swarm = "until [ -e gate ]; do sleep 0.02; done; for i in $(seq 30); do sleep 1000 & done; wait"
    command = f"setsid sleep 1000 & echo $! > escaped; {swarm}"
    with pool(queue, count=2):
        job_id = enqueue("--max-processes", "20", "--max-retries", "0", command)
        wait_until(lambda: Path("escaped").exists() and Path("escaped").read_text())
        escaped = int(Path("escaped").read_text())
        wait_until(lambda: escaped in processes_of(job_id))
        wait_for(queue, enqueue("sleep 0.3"), COMPLETED)  # meanwhile it was looked at
        os.kill(escaped, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{escaped}").exists())
        with innocents([escaped]):
            Path("gate").touch()
            assert wait_for(queue, job_id, DEAD).reason == "process limit of 20 exceeded"
            wait_until(lambda: not processes_of(job_id))


def test_those_of_a_pool_that_was_killed(queue: RedisStorage) -> None:
    """Pool, runners, guardian and the job itself are gone; innocent processes have all their pids."""
    with pool(queue, count=2) as process:
        job_id = enqueue("[ $QUEUECTL_FENCE = 2 ] || exec sleep 1000")
        wait_until(lambda: processes_of(job_id))
        (leader,) = processes_of(job_id)
        ended = [*children_of(process.pid), process.pid, leader]
        kill_at_once(ended)
        process.wait()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in ended))
    with innocents(ended):
        run("worker", "start", "--burst", "--quiet")
        assert wait_for(queue, job_id, COMPLETED).crashes == 1
