"""Keeps the jobs of a runner within their limits of memory, processor time and processes.

Where the pool has a control group that it may divide (see `cgroup`), each such job gets one of its own, and the
kernel keeps the limits. Elsewhere the job's processes are looked at ten times a second (see `process_tree`).
Jobs without limits are never seen here. The output of a job is bounded where it is read, in `process`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

from queuectl.storage.codec import Lease
from queuectl.worker import process
from queuectl.worker.cgroup import JobGroup, base_of_pool
from queuectl.worker.loop import Loop
from queuectl.worker.process import Ending, JobProcess
from queuectl.worker.process_tree import ProcessTable, ProcessTree
from queuectl.worker.spawn import NOT_EXECUTABLE, CannotStart

LOOK_SECONDS = 0.1
"""Between two looks at the jobs that have limits."""

FIRST_SECONDS = 0.02
"""Before the first look at a job: what grows fast has to be caught while it is small."""

SHARE = 0.1
"""Part of a processor that looking may take at most; where there are many processes looks become rarer."""

RAREST_SECONDS = 1.0
"""But not more so."""

AT_ONCE = ("memory", "max_processes")
"""What harms the host while it goes on: no grace period."""


class Meter(Protocol):
    """Measures what one job uses."""

    def breach(self) -> str | None:
        """The name of a limit that is not kept, if any."""

    def end(self) -> None:
        """SIGKILL to all processes of the job."""


class Limiter:
    """Ends jobs that don't keep their limits; ``end`` is how one is ended with a grace period."""

    def __init__(self, runner: str, loop: Loop, end: Callable[[JobProcess, Ending], None]) -> None:
        self._runner = runner
        self._loop = loop
        self._end = end
        self._table = ProcessTable()
        self._prepared: JobGroup | None = None
        self._meters: dict[int, tuple[JobProcess, Meter]] = {}
        self._left: list[JobGroup] = []
        self._planned = False

    def prepare(self, lease: Lease) -> bytes | None:
        """Before a job with limits is started: the entry of its control group, None if there are none here.

        CannotStart if the system has no means to keep the limits.
        """
        if not _needs_watch(lease):
            return None
        if sys.platform != "linux":
            raise CannotStart(NOT_EXECUTABLE, "limits of memory, CPU time and processes can be kept on Linux only")
        base = base_of_pool()
        if base is None:
            return None
        self._put_aside()  # of a job that could not be started
        try:
            self._prepared = JobGroup(base, self._runner, lease)
        except OSError:
            return None  # no more groups are allowed, or somebody took the controllers away
        return self._prepared.entry

    def began(self, running: JobProcess) -> None:
        """It runs now."""
        if _needs_watch(running.lease):
            group, self._prepared = self._prepared, None
            self._meters[running.pid] = running, group or ProcessTree(running.pid, running.lease, self._table)
            self._plan(FIRST_SECONDS)

    def ended(self, running: JobProcess) -> None:
        """Its leader has ended; perhaps it was the kernel that ended it."""
        _, meter = self._meters.pop(running.pid, (running, None))
        if isinstance(meter, JobGroup):
            name = meter.breach()
            if name is not None and running.ending is None:
                running.ending = process.limit_exceeded(running.lease.limits, name)
            meter.end()
            self._left.append(meter)
            self._plan(LOOK_SECONDS)

    def _plan(self, seconds: float) -> None:
        if not self._planned and (self._meters or self._left):
            self._planned = True
            self._loop.after(seconds, self._look)

    def _look(self) -> None:
        self._planned = False
        began = time.thread_time()  # a busy machine is no reason to look more seldom
        self._table.forget()
        breaches = [(running, meter, meter.breach()) for running, meter in self._meters.values()]
        took = time.thread_time() - began
        for running, meter, name in breaches:
            if name is not None:
                self._stop(running, meter, name)
        self._left = [group for group in self._left if not group.remove()]
        self._plan(max(LOOK_SECONDS, min(took / SHARE, RAREST_SECONDS)))

    def _stop(self, running: JobProcess, meter: Meter, name: str) -> None:
        ending = process.limit_exceeded(running.lease.limits, name)
        if name in AT_ONCE:
            meter.end()
            running.kill(ending)
        else:
            self._end(running, ending)

    def _put_aside(self) -> None:
        if self._prepared is not None:
            self._left.append(self._prepared)
            self._prepared = None
            self._plan(LOOK_SECONDS)


def _needs_watch(lease: Lease) -> bool:
    return bool(lease.limits.memory or lease.limits.cpu_time or lease.limits.max_processes)
