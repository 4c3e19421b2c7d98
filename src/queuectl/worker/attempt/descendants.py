"""Finds and kills the processes that a job left behind, wherever they hid. Only Linux can do this.

A job's processes normally share its process group. A process that leaves the group (`setsid`, a double fork)
loses its parent in the end. The kernel then gives it to the nearest *subreaper* above, and every process of a
pool is one. So whatever outlives its job becomes our own child.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Container, Iterable
from functools import partial
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform == "linux"
CALM_SECONDS = 0.01
QUIET_ROUNDS = 10
ROUNDS = 500
"""How often we search again, for processes that start during a search.

A process that is just about to execute a program shows no environment. One that exits as soon as it has started
the next is gone before we check it. One search in three misses such a chain completely.
"""

MARK = b"QUEUECTL_WORKER="
JOB_MARK = b"QUEUECTL_JOB_ID="

HIDDEN = (FileNotFoundError, ProcessLookupError, PermissionError)
"""We can't read a process that has exited or belongs to another user. Any other error (no free file descriptor)
says nothing about the process, so the caller must retry before it acts on the process."""


class Adopted(NamedTuple):
    """Children that outlived their jobs: those that were killed, which the caller must reap, and other users'."""

    killed: list[int]
    immune: list[int]


def become_subreaper() -> None:
    """Make the kernel give us our children's orphans. Does nothing on systems without subreapers."""
    if _LINUX:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[int]:
    """Return the pids of our children, adopted ones too; none if the system can't tell. OSError: try again."""
    if not _LINUX:
        return []
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:  # the kernel was built without this file
        return _children_by_scan()


def end_adopted(ours: Callable[[int], bool], running_jobs: Container[bytes] = ()) -> Adopted:
    """SIGKILL every child that outlived its job.

    Spares those for which ``ours`` is true, those that belong to one of the ``running_jobs`` (a running job may
    leave a child to us), and the embedded server. They are our children and only we reap them, so their pids
    can't have been reused. When they die, their own children come to us: call again until none are left.
    Raises OSError if a child can't be checked now; it leaves unchecked children alone.
    """
    killed, immune = [], []
    for pid in _strays(ours, running_jobs):
        if not _is_server(pid) and _kill(pid):
            killed.append(pid)
        elif is_immune(pid):
            immune.append(pid)
    return Adopted(killed, immune)


def immune_strays(ours: Callable[[int], bool], running_jobs: Container[bytes] = ()) -> list[int]:
    """Return the children that outlived their job and can't be killed. Raises OSError like `end_adopted`."""
    return [pid for pid in _strays(ours, running_jobs) if is_immune(pid)]


def is_immune(pid: int) -> bool:
    """Whether a process is another user's, so that we can't kill it."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _strays(ours: Callable[[int], bool], running_jobs: Container[bytes]) -> list[int]:
    return [pid for pid in children() if not (ours(pid) or _belongs(pid, ours, running_jobs))]


def _belongs(pid: int, ours: Callable[[int], bool], running_jobs: Container[bytes]) -> bool:
    """Whether a process is in a running job's session, or says that it belongs to a running job."""
    try:
        if ours(os.getsid(pid)):
            return True
    except OSError:
        return False  # it has just exited
    return job_of(pid) in running_jobs


def job_of(pid: int) -> bytes:
    """Return the id of the job that a process says it belongs to; empty if it says nothing."""
    return next((entry[len(JOB_MARK) :] for entry in _environment(pid) if entry.startswith(JOB_MARK)), b"")


def end_marked(workers_of: Iterable[str]) -> int:
    """SIGKILL the processes on this host that the workers of these dead runners started.

    The mark in their environment identifies them; a pidfd ensures that we kill the process that we checked. Repeat
    until none are left, because a search misses a process that has just started another and exited, and what it
    started. Returns how many there were. Raises OSError if the last search could not read them: nobody may assume
    that they are dead.
    """
    if not _LINUX:
        return 0
    prefixes = tuple(MARK + runner.encode() + b"-" for runner in workers_of)
    ended = quiet = 0
    hidden: OSError | None = None
    for _ in range(ROUNDS):
        try:
            found, hidden = _end_marked(prefixes), None
        except OSError as error:
            quiet, hidden = 0, error  # we can't check them now
        else:
            ended += found
            quiet = 0 if found else quiet + 1
        if quiet == QUIET_ROUNDS:
            break
        time.sleep(CALM_SECONDS)
    if hidden is not None:
        raise hidden
    return ended


def _end_marked(prefixes: tuple[bytes, ...]) -> int:
    ended = 0
    # Newest first: they may exit soonest.
    for pid in sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True):
        if pid != os.getpid() and _has_mark(pid, prefixes):
            ended += send_same(pid, partial(_has_mark, pid, prefixes))
    return ended


def send_same(pid: int, is_it: Callable[[], bool], number: int = signal.SIGKILL) -> bool:
    """Signal a process if ``is_it`` confirms that it is the right one; a pid alone may have been reused.

    We hold a pidfd while asking, so the signal goes to the process that was checked. OSError if that fails now.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except HIDDEN:
        return False
    try:
        if not is_it():
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except HIDDEN:
        return False
    finally:
        os.close(descriptor)


def _has_mark(pid: int, prefixes: tuple[bytes, ...]) -> bool:
    return any(entry.startswith(prefixes) for entry in _environment(pid))


def _environment(pid: int) -> list[bytes]:
    """Return the environment that a process started with; nothing if it is gone or another user's."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except HIDDEN:
        return []


def _is_server(pid: int) -> bool:
    """Whether this is the embedded server, which also becomes our child when we restart it."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            name = file.read().strip()
    except HIDDEN:
        return False
    return name in (b"valkey-server", b"redis-server") and not _has_mark(pid, (MARK,))


def _children_by_scan() -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except HIDDEN:
                continue
            if parent == os.getpid():
                found.append(int(name))
    return found


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False  # it is gone, or another user's
    return True
