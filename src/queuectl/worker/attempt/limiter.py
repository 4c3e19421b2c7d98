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

from queuectl.model.job import Lease
from queuectl.model.outcome import RETRY
from queuectl.worker.attempt.cgroup import JobGroup
from queuectl.worker.attempt.process import Ending, JobProcess
from queuectl.worker.attempt.process_tree import ProcessTable, ProcessTree
from queuectl.worker.attempt.spawn import NOT_EXECUTABLE, CannotStart
from queuectl.worker.loop import Loop, Once

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
        """The name of a limit that is not kept, if any; OSError if that can't be known now."""

    def end(self) -> bool:
        """SIGKILL to all processes of the job; gives False if it has to be called again."""


class Limiter:
    """Ends jobs that don't keep their limits; ``end`` is how one is ended with a grace period.

    ``base`` is where groups of jobs can be made, None if there is no such place.
    """

    def __init__(
        self, runner: str, base: str | None, loop: Loop, end: Callable[[JobProcess, Ending], None]
    ) -> None:
        self._runner = runner
        self._base = base
        self._end = end
        self._table = ProcessTable()
        self._prepared: JobGroup | None = None
        self._meters: dict[JobProcess, Meter] = {}
        self._groups: dict[JobProcess, JobGroup] = {}
        self._half_ended: dict[JobProcess, str] = {}
        self._left: list[JobGroup] = []
        self._next_look = Once(loop, self._look)

    def prepare(self, lease: Lease) -> bytes | None:
        """Before a job with limits is started: the entry of its control group, None if there are none here.

        CannotStart if the system has no means to keep the limits.
        """
        if not _needs_watch(lease):
            return None
        if sys.platform != "linux":
            raise CannotStart(NOT_EXECUTABLE, "limits of memory, CPU time and processes can be kept on Linux only")
        if self._base is None:
            return None
        self._put_aside()  # of a job that could not be started
        try:
            self._prepared = JobGroup(self._base, self._runner, lease)
        except OSError:
            return None  # no more groups are allowed, or somebody took the controllers away
        return self._prepared.entry

    def began(self, running: JobProcess) -> None:
        """It runs now."""
        if _needs_watch(running.lease):
            group, self._prepared = self._prepared, None
            if group is None:
                self._meters[running] = self._tree_of(running)
            else:
                self._meters[running] = self._groups[running] = group
            self._plan(FIRST_SECONDS)

    def ended(self, running: JobProcess, cpu_seconds: float) -> Ending | None:
        """Its leader has ended, and has used so much; gives why it failed if it did not keep its limits."""
        if not _needs_watch(running.lease):
            return None
        name = "cpu_time" if 0 < running.lease.job.options.cpu_time < cpu_seconds else None
        group = self._groups.pop(running, None)
        if group is not None:
            if self._meters[running] is group:
                name = self._breach(running) or name  # perhaps it was the kernel that ended it
            group.end()
            self._left.append(group)
            self._plan(LOOK_SECONDS)
        self._meters.pop(running, None)
        self._half_ended.pop(running, None)
        return None if name is None else Ending(RETRY, name)

    def _tree_of(self, running: JobProcess) -> ProcessTree:
        return ProcessTree(running.pid, running.lease, self._table)

    def _plan(self, seconds: float) -> None:
        if self._meters or self._left:
            self._next_look.plan(seconds)

    def _look(self) -> None:
        began = time.thread_time()  # a busy machine is no reason to look more seldom
        self._table.forget()
        breaches = [(running, self._breach(running)) for running in self._meters]
        took = time.thread_time() - began
        for running, name in breaches:
            if name is not None:
                self._stop(running, name)
        for group in self._left:
            group.end()  # again: there may have been no file to be opened for it
        self._left = [group for group in self._left if not group.remove()]
        self._plan(max(LOOK_SECONDS, min(took / SHARE, RAREST_SECONDS)))

    def _breach(self, running: JobProcess) -> str | None:
        if running in self._half_ended:
            return self._half_ended.pop(running)
        try:
            return self._meters[running].breach()
        except FileNotFoundError:  # somebody took its group's controllers away, or the group
            self._meters[running] = self._tree_of(running)
        except OSError:
            pass  # no file can be opened now; what can't be known is no reason to end a job
        return None

    def _stop(self, running: JobProcess, name: str) -> None:
        ending = Ending(RETRY, name)
        if name not in AT_ONCE:
            self._end(running, ending)
            return
        running.ending = running.ending or ending
        try:
            ended = self._meters[running].end()
        except OSError:
            ended = True  # they can't be looked for; the leader's group can be killed all the same
        if ended:
            running.kill(ending)
        else:
            self._half_ended[running] = name

    def _put_aside(self) -> None:
        if self._prepared is not None:
            self._left.append(self._prepared)
            self._prepared = None
            self._plan(LOOK_SECONDS)


def _needs_watch(lease: Lease) -> bool:
    options = lease.job.options
    return bool(options.memory or options.cpu_time or options.max_processes)
