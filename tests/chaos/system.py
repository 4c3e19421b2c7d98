"""The system under test, seen from outside: its pools and what they start, and what is left at the end."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cli
from queuectl.logs.layout import Run, Segment, parse
from queuectl.server.embedded import EmbeddedServer
from queuectl.storage.calls.workers import overview

from . import survey

if TYPE_CHECKING:
    from .network import Network

LEASE_SECONDS = 3.0
GRACE_SECONDS = 0.5
WORKERS = 6


SHIFTED = Path(__file__).parent / "shifted"
"""On PYTHONPATH it moves the clock; see the `sitecustomize` there."""


def clock_environment(folder: Path) -> dict[str, str]:
    """Return the variables that make a program use this run's clock."""
    clock = folder / "clock"
    if not clock.exists():
        clock.write_bytes(struct.pack("d", 0.0))
    path = os.pathsep.join(filter(None, (str(SHIFTED), os.environ.get("PYTHONPATH"))))
    return {"CHAOS_CLOCK": str(clock), "PYTHONPATH": path}


class Process(NamedTuple):
    """One of this run's processes."""

    pid: int
    parent: int
    command: bytes
    environment: list[bytes]

    @property
    def is_queuectl(self) -> bool:
        """Whether it is a pool, a runner or a pool's maintenance round, rather than a job."""
        return b"\0worker\0start\0" in self.command and not self.is_jobs

    @property
    def is_guardian(self) -> bool:
        return self.command.endswith(b"\0guardian\0")

    @property
    def is_jobs(self) -> bool:
        return any(entry.startswith(b"QUEUECTL_JOB_ID=") for entry in self.environment)


class System:
    """Pools in one state folder, restarted as a service manager would."""

    def __init__(self, folder: Path, pools: int = 2, network: Network | None = None) -> None:
        self.network = network
        self.home = Path(os.environ["QUEUECTL_HOME"])
        self.folder = folder
        self.paused = False
        self._wanted = pools
        self._pools: list[int] = []
        self._own: list[subprocess.Popen[bytes]] = []
        self._messages = (folder / "pools.err").open("ab")
        self._messages_path = folder / "pools.err"

    # Processes ------------------------------------------------------------------------------------

    def processes(self) -> list[Process]:
        """Return all processes of this state folder."""
        mark = b"QUEUECTL_HOME=" + os.fsencode(self.home)
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                if mark not in environment or not cli.is_alive(int(entry.name)):
                    continue
                stat = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                found.append(Process(int(entry.name), int(stat[1]), (entry / "cmdline").read_bytes(), environment))
            except OSError:
                continue
        return found

    def pools(self) -> list[int]:
        """Return the pids of live pools."""
        for process in self._own:
            process.poll()
        self._pools = [pid for pid in self._pools if cli.is_alive(pid)]
        return list(self._pools)

    def runners(self) -> dict[int, int]:
        """Map the pid of each runner to the pid of its pool."""
        pools = set(self.pools())
        return {p.pid: p.parent for p in self.processes() if p.is_queuectl and p.parent in pools}

    def guardians(self) -> dict[int, int]:
        """Map the pid of each guardian to the pid of its pool."""
        pools = set(self.pools())
        return {p.pid: p.parent for p in self.processes() if p.is_guardian and p.parent in pools}

    def family(self, pool: int) -> list[int]:
        """Return a pool and its runners."""
        return [pool, *(runner for runner, parent in self.runners().items() if parent == pool)]

    def server_pid(self) -> int | None:
        """Return the embedded server's process, if it answers."""
        return EmbeddedServer(str(self.home)).status().pid

    # Clock ----------------------------------------------------------------------------------------

    def set_clock(self, seconds: float) -> None:
        """Shift Python's clock in all programs that have `clock_environment`."""
        with (self.folder / "clock").open("r+b") as file:
            file.write(struct.pack("d", seconds))

    # Pools ----------------------------------------------------------------------------------------

    def keep_up(self) -> None:
        """Start pools until there are enough."""
        while not self.paused and len(self.pools()) < self._wanted:
            self.start_pool()

    def start_pool(self, *options: str) -> subprocess.Popen[bytes]:
        words = ["worker", "start", "--count", str(WORKERS), "--quiet"]
        words += ["--lease", f"{LEASE_SECONDS:g}", "--grace", f"{GRACE_SECONDS:g}", *options]
        env = clock_environment(self.folder)
        process = cli.spawn(*words, stdout=subprocess.DEVNULL, stderr=self._messages, env=env)
        self._own.append(process)
        self._pools.append(process.pid)
        return process

    def adopt(self, pool: int) -> None:
        """Add a pool that `worker resume` started."""
        self._pools.append(pool)

    def drain(self, seconds: float = 30.0) -> None:
        """Stop all pools gracefully, and let a last one clean up after killed ones."""
        for pid in self.pools():
            os.kill(pid, signal.SIGTERM)
        self._wait_for_none(seconds)
        assert self.start_pool("--burst").wait(seconds) == 0

    def _wait_for_none(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.pools():
            assert time.monotonic() < end, f"pools {self.pools()} have not ended within {seconds:g} s"
            time.sleep(0.02)

    # At the end -----------------------------------------------------------------------------------

    def aftermath(self) -> dict[str, Any]:
        """Return everything that is left at the end."""
        with survey.server() as queue:
            now = queue.run(overview())
            seen = {
                "jobs": survey.jobs(queue),
                "survey": survey.look(queue),
                "dead_letter": survey.dead_letters(queue),
                "keys": survey.other_keys(queue),
            }
        detached = self.home / "pools" / "messages.log"
        said = [path.read_text(errors="replace") for path in (self._messages_path, detached) if path.exists()]
        logs = [path.name for path in (self.home / "logs").glob("*/*")]
        return {
            **seen,
            "overview": {state.value: count for state, count in now.jobs.items()},
            "logs": {name: _job_of(name) for name in logs},
            "records": [path.name for path in (self.home / "pools").iterdir() if path.name != "messages.log"],
            "processes": [[p.pid, p.command.decode(errors="replace")] for p in self.processes() if p.is_jobs],
            "messages": "".join(said),
        }

    def close(self) -> None:
        """Forget it. The sandbox kills whatever is still alive."""
        self._messages.close()
        for process in self._own:
            process.wait()


def _job_of(log: str) -> str:
    """Return the id of the job that a log file belongs to; empty for a file that is no log."""
    found = parse(log)
    if isinstance(found, Segment):
        found = found.run
    return found.job_id if isinstance(found, Run) else ""
