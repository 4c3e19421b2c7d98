"""Processes that a job left behind: found and ended, wherever they hid. All that is Linux's own is here.

A job's processes normally share its process group. One that leaves the group (`setsid`, a double fork)
loses its parent in the end; the kernel then gives it to the nearest *subreaper* above, which each process
of a pool is. So whatever outlives its job turns up as our own child.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Container, Iterable
from functools import partial

_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform == "linux"
CALM_SECONDS = 0.01
QUIET_ROUNDS = 10
ROUNDS = 500
"""Processes that are being started while we look are found by looking again.

What is just about to execute a program shows no environment, and who ends as soon as it has started the next is
gone before it is looked at: of such a chain, one look in three sees nothing.
"""

MARK = b"QUEUECTL_WORKER="
JOB_MARK = b"QUEUECTL_JOB_ID="

HIDDEN = (FileNotFoundError, ProcessLookupError, PermissionError)
"""A process that has ended, or is another user's, can't be looked at. Any other error (no file can be opened) says
nothing of the process, and whoever asked has to ask again before anything is done to it."""


def become_subreaper() -> None:
    """Have the kernel hand us the orphans of our children. Does nothing where there is no such thing."""
    if _LINUX:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[int]:
    """Pids of our child processes, adopted ones too; none where the system can't tell. OSError if not now."""
    if not _LINUX:
        return []
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:  # the kernel was built without it
        return _children_by_scan()


def end_adopted(ours: Callable[[int], bool], running_jobs: Container[bytes] = ()) -> list[int]:
    """SIGKILL every child that outlived its job; gives their pids, which are still to be reaped.

    Spared are those for which ``ours`` is true, what belongs to one of the ``running_jobs`` (a job may well
    leave a child to us and go on), and the embedded server. They are our children and only we reap them, so
    a pid can't have been reused. Their own children come to us when they die: call again until there are none.
    OSError if they can't be looked at now; what was not looked at is left alone.
    """
    strays = []
    for pid in children():
        if not (ours(pid) or _belongs(pid, ours, running_jobs) or _is_server(pid)) and _kill(pid):
            strays.append(pid)
    return strays


def _belongs(pid: int, ours: Callable[[int], bool], running_jobs: Container[bytes]) -> bool:
    """Whether it is in the session of a job that runs, or says that it is that job's."""
    try:
        if ours(os.getsid(pid)):
            return True
    except OSError:
        return False  # it has just ended
    return job_of(pid) in running_jobs


def job_of(pid: int) -> bytes:
    """The id of the job that a process says it is part of; empty if it says nothing."""
    return next((entry[len(JOB_MARK) :] for entry in _environment(pid) if entry.startswith(JOB_MARK)), b"")


def end_marked(workers_of: Iterable[str]) -> int:
    """SIGKILL the processes on this host that were started by the workers of these dead runners.

    They are known by the mark in their environment; a pidfd makes sure that the process which is ended is
    the one that was looked at. It is done again until there are none: one that had just started another and
    ended is not seen, nor is what it started. Gives how many there were. OSError if in the end they could
    not be looked at: nobody may take them for ended.
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
            quiet, hidden = 0, error  # they can't be looked at now
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
    # From the newest, which may be gone soonest.
    for pid in sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True):
        if pid != os.getpid() and _has_mark(pid, prefixes):
            ended += send_same(pid, partial(_has_mark, pid, prefixes))
    return ended


def send_same(pid: int, is_it: Callable[[], bool], number: int = signal.SIGKILL) -> bool:
    """Signal a process if ``is_it`` says that it is the one which is meant; a pid alone may be reused.

    It is asked while a pidfd is held, so the signal goes to what was looked at. OSError if that can't be done now.
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
    """What a process was started with; nothing if it is gone, or another user's."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except HIDDEN:
        return []


def _is_server(pid: int) -> bool:
    """Whether it is the embedded server, which becomes our child too when we have to start it again."""
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
        return False  # gone, or become another user's by sudo: not ours to end
    return True
