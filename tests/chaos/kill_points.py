"""SIGKILL at every point between two calls to the server: tries each point, without chance.

A point is just before or just after a runner sends something or receives an answer. A pool whose first runner
dies at point K runs a few jobs; then a normal pool drains, and the checker checks the result.

`python -m chaos.kill_points K WHO`, in the folder of the jobs, is that pool. WHO dies: only the `runner`, or the
`pool` with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import queuectl.worker.pool.members
from queuectl import settings
from queuectl.manager.queue_manager import QueueManager
from queuectl.storage import RedisStorage
from queuectl.storage.link import Link
from queuectl.worker.options import PoolOptions
from queuectl.worker.pool.pool import Pool

from . import history
from .checker import Violation, check
from .kinds import KINDS
from .run import TESTS
from .system import GRACE_SECONDS, LEASE_SECONDS, System

RUNNER, POOL = "runner", "pool"
WORKLOAD = ("ok", "fail", "nap", "print", "flaky", "ok")
MARK = Path("killed")
LONGEST_SECONDS = 30.0


class Point(NamedTuple):
    """One point, who died there, whether the run got that far, and the broken laws."""

    number: int
    who: str
    reached: bool
    violations: list[Violation]


def try_point(number: int, who: str, folder: Path) -> Point:
    """Kill at this point, in an empty folder, with the environment's state folder."""
    recorder = _prepare(folder)
    system = System(folder)
    words = [sys.executable, "-m", "chaos.kill_points", str(number), who]
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    with (
        (folder / "pools.err").open("ab") as said,
        subprocess.Popen(words, cwd=folder, env=environ, stderr=said) as process,
    ):
        try:
            process.wait(LONGEST_SECONDS)
        finally:
            process.kill()
    reached = (folder / MARK).exists()
    if reached:
        pids = [int(pid) for pid in (folder / MARK).read_text().split()]
        recorder.note(
            "fault", name="kill_runner" if who == RUNNER else "kill_pool_and_runners", number=1, pids=pids
        )
    assert system.start_pool("--burst").wait(LONGEST_SECONDS) == 0
    recorder.note("drained")
    system.drain()
    recorder.note("final", **system.aftermath())
    recorder.close()
    system.close()
    return Point(number, who, reached, check(history.read(folder)))


def _prepare(folder: Path) -> history.Recorder:
    shutil.copy(Path(__file__).parent / "job.sh", folder)
    recorder = history.Recorder(folder / "events.jsonl")
    recorder.note("run", lease_seconds=LEASE_SECONDS, bound_seconds=LONGEST_SECONDS)
    before = Path.cwd()
    os.chdir(folder)  # where the jobs run
    storage = RedisStorage()
    try:
        for name in WORKLOAD:
            job_id = QueueManager(storage).enqueue(KINDS[name].command.encode(), KINDS[name].options)
            recorder.note("acknowledged", job=name, ids=[job_id])
    finally:
        storage.close()
        os.chdir(before)
    return recorder


# The pool that is killed --------------------------------------------------------------------------


def _kill_at(number: int, who: str) -> None:
    """Kill the first runner that reaches this point."""
    passed = 0

    def point() -> None:
        nonlocal passed
        passed += 1
        if passed != number:
            return
        victims = [os.getpid()] if who == RUNNER else [os.getppid(), os.getpid()]
        try:
            mark = os.open(MARK, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return  # it replaces a killed one
        os.write(mark, " ".join(map(str, victims)).encode())
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        time.sleep(LONGEST_SECONDS)

    def around(act: Callable[[Link], None]) -> Callable[[Link], None]:
        def acting(link: Link) -> None:
            counts = act is not send or link.has_unsent
            if counts:
                point()
            act(link)
            if counts:
                point()

        return acting

    send, take = Link.flush, Link.receive
    replaced: Any = Link
    replaced.flush, replaced.receive = around(send), around(take)


def _main() -> None:
    # One runner with two workers, so that more than one job dies with it.
    queuectl.worker.pool.members.processors = lambda: 1
    _kill_at(int(sys.argv[1]), sys.argv[2])
    options = PoolOptions(workers=2, burst=True, lease_seconds=LEASE_SECONDS, grace_seconds=GRACE_SECONDS)
    sys.exit(Pool(settings.load(), options).run())


if __name__ == "__main__":
    _main()
