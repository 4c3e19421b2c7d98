"""Control groups (cgroup v2): the kernel itself limits a job, and kills everything the job started.

We use them where a part of the hierarchy is ours to divide: delegated by systemd (`Delegate=yes`), given to our
user, or a container's own. A group that is divided must not hold processes itself. So a pool moves into a child
group, and jobs with limits get sibling groups:

    BASE/queuectl-pool-PID                    the pool, its runners and its guardian
    BASE/queuectl-job-RUNNER.JOB.FENCE        one attempt
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queuectl.model.job import Lease

EMPTY_SECONDS = 1.0
"""How long we wait until all killed processes of a group have exited."""

_POOL = "queuectl-pool-"
_JOB = "queuectl-job-"
_CONTROLLERS = {"memory", "pids"}
_SYSTEMD = "/run/systemd/system"
_HOST_NAMESPACE = 0xEFFFFFFB
"""Inode of the kernel's initial cgroup namespace."""


class JobGroup:
    """The control group of one attempt. Raises OSError if it can't be created."""

    def __init__(self, base: str, runner: str, lease: Lease) -> None:
        self._limits = lease.job.options
        self._path = os.path.join(base, f"{_JOB}{runner}.{lease.job_id}.{lease.fence}")
        os.mkdir(self._path)
        try:
            if self._limits.memory:
                self._write("memory.max", self._limits.memory)
                self._write("memory.oom.group", 1)
                if self._has("memory.swap.max"):
                    self._write("memory.swap.max", 0)  # else it would swap instead
            if self._limits.max_processes:
                self._write("pids.max", self._limits.max_processes)
        except OSError:
            os.rmdir(self._path)
            raise

    @property
    def entry(self) -> bytes:
        """The file through which a process enters the group, by writing 0 into it."""
        return os.fsencode(os.path.join(self._path, "cgroup.procs"))

    def breach(self) -> str | None:
        """Return the limit that the job exceeded, or that the kernel stopped it from exceeding; None if none.

        Raises FileNotFoundError if the group lost the controllers that enforce its limits.
        """
        limits = self._limits
        if limits.memory and self._was_out_of_memory():
            return "memory"
        if limits.max_processes and self._was_refused_a_process():
            return "max_processes"
        if limits.cpu_time and self._count("cpu.stat", "usage_usec") > limits.cpu_time * 1e6:
            return "cpu_time"
        return None

    def end(self) -> bool:
        """SIGKILL all its processes at once: none can escape by starting another."""
        _kill(self._path)
        return True

    def remove(self) -> bool:
        """Remove the group; return False while one of its processes is still exiting."""
        return _remove(self._path)

    def _write(self, name: str, value: int) -> None:
        _write(os.path.join(self._path, name), str(value))

    def _was_out_of_memory(self) -> bool:
        # The kernel also counts kills when the host or a parent group is out of memory; "oom" means this group.
        return bool(self._count("memory.events.local", "oom") and self._count("memory.events", "oom_kill"))

    def _was_refused_a_process(self) -> bool:
        if self._has("pids.events.local"):
            return bool(self._count("pids.events.local", "max"))
        # Before Linux 6.11, this also counts refusals by a parent group that was full.
        if not self._count("pids.events", "max"):
            return False
        return not self._has("pids.peak") or int(self._lines("pids.peak")[0]) >= self._limits.max_processes

    def _has(self, name: str) -> bool:
        return os.path.exists(os.path.join(self._path, name))

    def _lines(self, name: str) -> list[str]:
        try:
            return _lines(os.path.join(self._path, name))
        except OSError as error:
            if error.errno == errno.ENODEV:  # the group was removed while the file was open
                raise FileNotFoundError(*error.args) from None
            raise

    def _count(self, name: str, counter: str) -> int:
        for line in self._lines(name):
            if line.startswith(counter + " "):
                return int(line.split()[1])
        return 0


def enter_pool() -> str | None:
    """Move this pool into a child group, so that everything it starts is in it and job groups can be created.

    Returns the folder for the job groups. If that is impossible, changes nothing and returns None.
    """
    own = _own_group()
    if own is None:
        return None
    base = os.path.dirname(own) if os.path.basename(own).startswith(_POOL) else own
    pool = os.path.join(base, f"{_POOL}{os.getpid()}")
    try:
        if not _is_given(base) or not set(_words(base, "cgroup.controllers")) >= _CONTROLLERS:
            return None
        _remove_ended_pools(base)
    except OSError:
        return None
    try:
        _enter(pool)
        if not os.path.exists(os.path.join(pool, "cgroup.kill")):
            raise FileNotFoundError  # this kernel is older than 5.14
        _write(os.path.join(base, "cgroup.subtree_control"), " ".join(f"+{name}" for name in sorted(_CONTROLLERS)))
    except OSError:  # other processes are in the group too, so it can't be divided
        _leave(own)
        _remove(pool)
        return None
    return base


def _enter(pool: str) -> None:
    os.mkdir(pool)
    try:
        _write(os.path.join(pool, "cgroup.procs"), "0")
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise
        os.mkdir(pool)  # another pool, starting right now, removed it as an ended pool's leftover
        _write(os.path.join(pool, "cgroup.procs"), "0")


def _remove_ended_pools(base: str) -> None:
    for name in os.listdir(base):
        if name.startswith(_POOL):
            _remove(os.path.join(base, name))


def base_of_pool() -> str | None:
    """Return the folder that `enter_pool` found in the pool of this process; None if it found none."""
    own = _own_group()
    return os.path.dirname(own) if own is not None and os.path.basename(own).startswith(_POOL) else None


def end_groups_of(runners: Iterable[str], base: str | None) -> None:
    """Kill everything in the groups of these dead runners' jobs in ``base``, and remove the groups."""
    if base is None:
        return
    prefixes = tuple(f"{_JOB}{runner}." for runner in runners)
    try:
        groups = [os.path.join(base, name) for name in os.listdir(base) if name.startswith(prefixes)]
    except OSError:
        return  # no free file descriptor, or the folder is gone: we still find those processes by their mark
    for group in groups:
        _kill(group)
    deadline = time.monotonic() + EMPTY_SECONDS
    while (groups := [group for group in groups if not _remove(group)]) and time.monotonic() < deadline:
        time.sleep(0.002)


def _own_group() -> str | None:
    """Return the folder of this process's own group; None without cgroup v2."""
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
    """Whether a group is ours to divide. Write access alone doesn't prove it.

    Root can write to every group, and a user to those that systemd itself divides for them; systemd marks what it
    delegates. The root of the hierarchy belongs to the host, but a container's root belongs to the container.
    """
    needed = ("", "cgroup.procs", "cgroup.subtree_control")
    if not all(os.access(os.path.join(group, name), os.W_OK) for name in needed):
        return False
    if not os.path.exists(_SYSTEMD):
        if not os.path.exists(os.path.join(os.path.dirname(group), "cgroup.procs")):
            return os.stat("/proc/self/ns/cgroup").st_ino != _HOST_NAMESPACE
        if os.geteuid() != 0:
            return True
    return any(_attribute(group, name) == b"1" for name in ("trusted.delegate", "user.delegate"))


def _attribute(group: str, name: str) -> bytes:
    try:
        return os.getxattr(group, name)
    except OSError:
        return b""


def _leave(group: str) -> None:
    try:
        _write(os.path.join(group, "cgroup.procs"), "0")
    except OSError:
        pass  # we had not left it


def _kill(group: str) -> None:
    try:
        _write(os.path.join(group, "cgroup.kill"), "1")
    except OSError:
        pass  # the group is gone


def _remove(group: str) -> bool:
    try:
        os.rmdir(group)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # creates no file if this is no cgroup folder
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read().splitlines()


def _words(group: str, name: str) -> list[str]:
    return " ".join(_lines(os.path.join(group, name))).split()
