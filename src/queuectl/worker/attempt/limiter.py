"""Enforces a runner's limits on the memory, CPU time and process count of its jobs.

If the pool has a control group to divide (see `cgroup`), each such job gets its own group, and the kernel enforces
the limits. Otherwise we check the job's processes ten times a second (see `process_tree`). Jobs without limits
never come here. `process` limits a job's output where it reads it.
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
"""Pause between two checks of the jobs that have limits."""

FIRST_SECONDS = 0.02
"""Pause before a job's first check: we must catch fast growth while it is small."""

SHARE = 0.1
"""The most of one processor that checks may use; with many processes, checks become rarer."""

RAREST_SECONDS = 1.0
"""The longest pause between checks."""

AT_ONCE = ("memory", "max_processes")
"""Breaches that hurt the host for as long as they last: no grace period."""


class Meter(Protocol):
    """Measures one job's use of resources."""

    def breach(self) -> str | None:
        """Return the name of an exceeded limit, if any; OSError if it can't be measured now."""

    def end(self) -> bool:
        """SIGKILL all processes of the job; return False if the caller must call again."""


class Limiter:
    """Stops jobs that exceed their limits: ``end`` stops one with a grace period, ``kill`` at once.

    ``base`` is where we can create control groups for jobs; None if nowhere.
    """

    def __init__(
        self,
        runner: str,
        base: str | None,
        loop: Loop,
        end: Callable[[JobProcess, Ending], None],
        kill: Callable[[JobProcess, Ending], None],
    ) -> None:
        self._runner = runner
        self._base = base
        self._end = end
        self._kill = kill
        self._table = ProcessTable()
        self._prepared: JobGroup | None = None
        self._meters: dict[JobProcess, Meter] = {}
        self._groups: dict[JobProcess, JobGroup] = {}
        self._half_ended: dict[JobProcess, str] = {}
        self._left: list[JobGroup] = []
        self._next_look = Once(loop, self._look)

    def prepare(self, lease: Lease) -> bytes | None:
        """Prepare to start a job with limits: return its control group's entry file, None without control groups.

        Raises CannotStart if the system can't enforce the limits.
        """
        if not _needs_watch(lease):
            return None
        if sys.platform != "linux":
            raise CannotStart(NOT_EXECUTABLE, "limits of memory, CPU time and processes can be kept on Linux only")
        if self._base is None:
            return None
        self._put_aside()  # the group of a job that could not be started
        try:
            self._prepared = JobGroup(self._base, self._runner, lease)
        except OSError:
            return None  # no more groups are allowed, or somebody removed the controllers
        return self._prepared.entry

    def began(self, running: JobProcess) -> None:
        """Note that a job has started."""
        if _needs_watch(running.lease):
            group, self._prepared = self._prepared, None
            if group is None:
                self._meters[running] = self._tree_of(running)
            else:
                self._meters[running] = self._groups[running] = group
            self._plan(FIRST_SECONDS)

    def kill_group(self, running: JobProcess) -> None:
        """Kill all processes in the job's control group, if it has one: other users' too."""
        if running in self._groups:
            self._groups[running].end()

    def ended(self, running: JobProcess, cpu_seconds: float) -> Ending | None:
        """Note that a job's leader has exited and what it used; return why the job failed if it broke a limit."""
        if not _needs_watch(running.lease):
            return None
        name = "cpu_time" if 0 < running.lease.job.options.cpu_time < cpu_seconds else None
        group = self._groups.pop(running, None)
        if group is not None:
            if self._meters[running] is group:
                name = self._breach(running) or name  # perhaps the kernel killed it
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
        began = time.thread_time()  # not wall time: on a busy machine, checks must not become rarer
        self._table.forget()
        breaches = [(running, self._breach(running)) for running in self._meters]
        took = time.thread_time() - began
        for running, name in breaches:
            if name is not None:
                self._stop(running, name)
        for group in self._left:
            group.end()  # again: last time there may have been no free file descriptor
        self._left = [group for group in self._left if not group.remove()]
        self._plan(max(LOOK_SECONDS, min(took / SHARE, RAREST_SECONDS)))

    def _breach(self, running: JobProcess) -> str | None:
        if running in self._half_ended:
            return self._half_ended.pop(running)
        try:
            return self._meters[running].breach()
        except FileNotFoundError:  # somebody removed its group's controllers, or the group
            self._meters[running] = self._tree_of(running)
        except OSError:
            pass  # no free file descriptor; don't stop a job for what we can't measure
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
            ended = True  # we can't search for them now, but can still kill the leader's group
        if ended:
            self._kill(running, ending)
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
