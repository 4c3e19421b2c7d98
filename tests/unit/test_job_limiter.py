"""Processes are measured and killed by the job they belong to, and what can't be checked proves nothing."""

from __future__ import annotations

import builtins
import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from queuectl.logs.writer import LogWriter
from queuectl.model.job import Job, Lease
from queuectl.model.lifecycle import JobState
from queuectl.options import JobOptions
from queuectl.worker.attempt import cgroup, process_tree
from queuectl.worker.attempt.limiter import Limiter
from queuectl.worker.attempt.process import Ending, JobProcess
from queuectl.worker.attempt.process_tree import ProcessTable, ProcessTree
from queuectl.worker.loop import Loop
from waiting import wait_until

SECOND = os.sysconf("SC_CLK_TCK")

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="limits are kept on Linux only")


def lease(job_id: str = "ab12", **limits: Any) -> Lease:
    return Lease(Job(job_id, JobState.PROCESSING, b"", options=JobOptions(**limits)), 1)


def job_process(bounds: Lease, pid: int) -> JobProcess:
    return JobProcess(bounds, "worker", pid, -1, cast(Callable[[Lease], LogWriter], None), 0.0)


@pytest.fixture
def start() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a command of the shell as a job's, in a session of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(command: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, start_new_session=True))
        return started[-1]

    yield begin
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()


class Looks:
    """The loop of a limiter: `look` makes the call that it has planned."""

    def __init__(self) -> None:
        self._planned: Callable[[], None] | None = None
        self.loop = cast(Loop, SimpleNamespace(after=self._after))

    def _after(self, _: float, call: Callable[[], None]) -> None:
        self._planned = call

    def look(self) -> None:
        assert self._planned is not None, "it does not look any more"
        call, self._planned = self._planned, None
        call()


def unexpected(_: JobProcess, ending: Ending) -> None:
    raise AssertionError(ending)


def state_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Has every look at a single process fail for want of a descriptor."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    return lambda on: monkeypatch.setattr(process_tree, "open", refuse if on else builtins.open, raising=False)


def test_what_cant_be_opened_has_not_ended(
    start: Callable[[str], subprocess.Popen[bytes]], no_files: Callable[[bool], None]
) -> None:
    """Else its processor time would count as that of one who is gone, and again when it is seen once more."""
    job = start("i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done; echo; exec sleep 1000")
    assert job.stdout is not None
    assert job.stdout.readline() == b"\n"
    wait_until(lambda: state_of(job.pid) == b"S")
    table = ProcessTable()
    used = table.processes[job.pid].ticks
    assert used > 2
    tree = ProcessTree(job.pid, lease(cpu_time=used * 1.5 / SECOND), table)
    assert tree.breach() is None
    no_files(True)
    table.forget()
    with pytest.raises(OSError, match="open files"):
        tree.breach()
    no_files(False)
    table.forget()
    assert tree.breach() is None


def test_a_look_that_fails_is_made_again(
    start: Callable[[str], subprocess.Popen[bytes]], no_files: Callable[[bool], None]
) -> None:
    job, looks = start("sleep 1000 & echo; wait"), Looks()
    assert job.stdout is not None
    assert job.stdout.readline() == b"\n"
    running = job_process(lease(max_processes=1), job.pid)
    limiter = Limiter("runner", None, looks.loop, unexpected, JobProcess.kill)
    limiter.began(running)
    no_files(True)
    looks.look()
    assert running.ending is None
    no_files(False)
    looks.look()
    assert running.ending is not None
    assert job.wait() == -signal.SIGKILL


def test_who_has_many_processes_is_ended_in_several_goes(
    start: Callable[[str], subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tree, "STOP_SECONDS", -1.0)
    job, looks = start("sleep 1000 & echo; wait"), Looks()
    assert job.stdout is not None
    assert job.stdout.readline() == b"\n"
    running = job_process(lease(max_processes=1), job.pid)
    Limiter("runner", None, looks.loop, unexpected, JobProcess.kill).began(running)
    looks.look()
    assert running.ending is not None
    wait_until(lambda: state_of(job.pid) == b"T")
    assert job.poll() is None, "its children would be nobody's"
    looks.look()
    assert job.wait() == -signal.SIGKILL


def test_two_that_had_the_same_pid_are_two(start: Callable[[str], subprocess.Popen[bytes]]) -> None:
    """A leader is reaped, and its pid given to the next job, before what it used is settled."""
    job, looks = start("sleep 1000 & echo; wait"), Looks()
    assert job.stdout is not None
    assert job.stdout.readline() == b"\n"
    before, after = (job_process(lease(name, max_processes=1), job.pid) for name in ("ab12", "cd34"))
    limiter = Limiter("runner", None, looks.loop, unexpected, JobProcess.kill)
    limiter.began(before)
    limiter.began(after)
    assert limiter.ended(before, 0.0) is None
    looks.look()
    assert job.wait() == -signal.SIGKILL
    assert before.ending is None
    assert after.ending is not None


def test_processor_time_counts_as_the_kernel_has_it_at_the_end() -> None:
    limiter = Limiter("runner", None, Looks().loop, unexpected, JobProcess.kill)
    running = job_process(lease(cpu_time=1.0), 1)
    limiter.began(running)
    assert limiter.ended(running, 1.0) is None
    ending = limiter.ended(running, 1.001)
    assert ending is not None
    assert ending.cause == "cpu_time"


def test_a_group_that_lost_its_controllers_is_looked_at(
    start: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "_write", lambda path, text: Path(path).write_text(text))
    job, looks = start("sleep 1000 & echo; wait"), Looks()
    assert job.stdout is not None
    assert job.stdout.readline() == b"\n"
    running = job_process(lease(max_processes=1), job.pid)
    limiter = Limiter("runner", str(tmp_path), looks.loop, unexpected, JobProcess.kill)
    entry = limiter.prepare(running.lease)
    assert entry is not None
    (group,) = tmp_path.iterdir()
    assert (group / "pids.max").read_text() == "1"
    (group / "pids.events.local").write_text("max 0\n")
    limiter.began(running)
    looks.look()
    assert running.ending is None
    (group / "pids.events.local").unlink()
    looks.look()
    looks.look()
    assert running.ending is not None
    assert job.wait() == -signal.SIGKILL
    assert limiter.ended(running, 0.0) is None
    assert (group / "cgroup.kill").read_text() == "1", "what is left in it is still ended"


def test_a_control_group_is_killed_whoever_its_processes_belong_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals don't reach another user's process; the kernel kills it for the owner of its group."""
    monkeypatch.setattr(cgroup, "_write", lambda path, text: Path(path).write_text(text))
    limiter = Limiter("runner", str(tmp_path), Looks().loop, unexpected, unexpected)
    limited, unlimited = job_process(lease(memory=1 << 30), 1), job_process(lease("cd34"), 2)
    assert limiter.prepare(limited.lease) is not None
    limiter.began(limited)
    limiter.kill_group(unlimited)
    limiter.kill_group(limited)
    (group,) = tmp_path.iterdir()
    assert (group / "cgroup.kill").read_text() == "1"
