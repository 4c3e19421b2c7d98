"""Control groups (cgroup v2): where the kernel itself bounds a job and ends all that it has started.

They are used where a part of the hierarchy was given to us to divide: by systemd (`Delegate=yes`), by whoever
gave its folder to our user, or as a container's own. Processes must not stand in a group that is divided, so a pool
goes into one beneath it, and jobs with limits get theirs beside that:

    BASE/queuectl-pool-PID                    the pool, its runners and its guardian
    BASE/queuectl-job-RUNNER.JOB.FENCE        one attempt
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queuectl.storage.codec import Lease

EMPTY_SECONDS = 1.0
"""How long a group is waited for until all that was killed in it has ended."""

_POOL = "queuectl-pool-"
_JOB = "queuectl-job-"
_CONTROLLERS = {"memory", "pids"}


class JobGroup:
    """The control group of one attempt. OSError if it can't be made."""

    def __init__(self, base: str, runner: str, lease: Lease) -> None:
        self._limits = lease.limits
        self._path = os.path.join(base, f"{_JOB}{runner}.{lease.job_id}.{lease.fence}")
        os.mkdir(self._path)
        try:
            if self._limits.memory:
                self._write("memory.max", self._limits.memory)
                self._write("memory.oom.group", 1)
                if os.path.exists(os.path.join(self._path, "memory.swap.max")):
                    self._write("memory.swap.max", 0)  # else it would only begin to swap
            if self._limits.max_processes:
                self._write("pids.max", self._limits.max_processes)
        except OSError:
            os.rmdir(self._path)
            raise

    @property
    def entry(self) -> bytes:
        """The file by which a process goes into the group: it writes 0 into it."""
        return os.fsencode(os.path.join(self._path, "cgroup.procs"))

    def breach(self) -> str | None:
        """The name of a limit that is not kept, or was about not to be when the kernel stepped in; if any."""
        limits = self._limits
        if limits.memory and self._count("memory.events", "oom_kill"):
            return "memory"
        if limits.max_processes and self._count("pids.events", "max"):
            return "max_processes"
        if limits.cpu_time and self._count("cpu.stat", "usage_usec") > limits.cpu_time * 1e6:
            return "cpu_time"
        return None

    def end(self) -> None:
        """SIGKILL to all processes in it, at once: none can escape by starting another."""
        _kill(self._path)

    def remove(self) -> bool:
        """Take it away; gives False while a process in it has not quite ended."""
        return _remove(self._path)

    def _write(self, name: str, value: int) -> None:
        _write(os.path.join(self._path, name), str(value))

    def _count(self, name: str, counter: str) -> int:
        try:
            for line in _lines(os.path.join(self._path, name)):
                if line.startswith(counter + " "):
                    return int(line.split()[1])
        except OSError:
            pass  # somebody took the group away
        return 0


def enter_pool() -> bool:
    """Have this pool and all that it starts stand in a group of their own, beside which groups can be made.

    Gives whether that was possible; if not, nothing is changed.
    """
    own = _own_group()
    if own is None:
        return False
    base = os.path.dirname(own) if os.path.basename(own).startswith(_POOL) else own
    pool = os.path.join(base, f"{_POOL}{os.getpid()}")
    try:
        if not _is_given(base) or not set(_words(base, "cgroup.controllers")) >= _CONTROLLERS:
            return False
        _remove_ended_pools(base)
        os.mkdir(pool)
    except OSError:
        return False
    try:
        if not os.path.exists(os.path.join(pool, "cgroup.kill")):
            raise FileNotFoundError  # a kernel older than 5.14
        _write(os.path.join(pool, "cgroup.procs"), "0")
        _write(os.path.join(base, "cgroup.subtree_control"), " ".join(f"+{name}" for name in sorted(_CONTROLLERS)))
    except OSError:  # others stand in it too, so it can't be divided
        _leave(own)
        _remove(pool)
        return False
    return True


def _remove_ended_pools(base: str) -> None:
    for name in os.listdir(base):
        if name.startswith(_POOL):
            _remove(os.path.join(base, name))


def base_of_pool() -> str | None:
    """Where groups of jobs can be made; None if this process's pool did not find such a place."""
    own = _own_group()
    return os.path.dirname(own) if own is not None and os.path.basename(own).startswith(_POOL) else None


def end_groups_of(runners: Iterable[str]) -> None:
    """End all that is in the groups of these dead runners' jobs, and take the groups away."""
    base = base_of_pool()
    if base is None:
        return
    prefixes = tuple(f"{_JOB}{runner}." for runner in runners)
    groups = [os.path.join(base, name) for name in os.listdir(base) if name.startswith(prefixes)]
    for group in groups:
        _kill(group)
    deadline = time.monotonic() + EMPTY_SECONDS
    while (groups := [group for group in groups if not _remove(group)]) and time.monotonic() < deadline:
        time.sleep(0.002)


def _own_group() -> str | None:
    """The folder of this process's own group; None where there is no cgroup v2."""
    try:
        own = next(line[3:] for line in _lines("/proc/self/cgroup") if line.startswith("0::"))
        for line in _lines("/proc/self/mountinfo"):
            mount, _, kind = line.partition(" - ")
            if kind.startswith("cgroup2 "):
                root, point = mount.split(" ")[3:5]
                if own == root or own.startswith(root.rstrip("/") + "/"):
                    return os.path.normpath(point + "/" + own[len(root.rstrip("/")) :])
    except (OSError, StopIteration):
        pass
    return None


def _is_given(group: str) -> bool:
    """Whether a group is ours to divide. Root may write to each, but most belong to the system's manager."""
    needed = ("", "cgroup.procs", "cgroup.subtree_control")
    if not all(os.access(os.path.join(group, name), os.W_OK) for name in needed):
        return False
    if os.geteuid() != 0 or not os.path.exists(os.path.join(os.path.dirname(group), "cgroup.procs")):
        return True
    for name in ("trusted.delegate", "user.delegate"):
        try:
            if os.getxattr(group, name) == b"1":
                return True
        except OSError:
            continue
    return False


def _leave(group: str) -> None:
    try:
        _write(os.path.join(group, "cgroup.procs"), "0")
    except OSError:
        pass  # we were not out of it


def _kill(group: str) -> None:
    try:
        _write(os.path.join(group, "cgroup.kill"), "1")
    except OSError:
        pass  # it is gone


def _remove(group: str) -> bool:
    try:
        os.rmdir(group)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # never makes a file, should it be no such folder
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read().splitlines()


def _words(group: str, name: str) -> list[str]:
    return " ".join(_lines(os.path.join(group, name))).split()
