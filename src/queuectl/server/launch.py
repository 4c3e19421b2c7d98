"""Start the server's process on its own feet, know it again later, and end it without its socket.

A running server holds a lock on the file ``valkey.pid`` for as long as it or a child of it lives. So the
kernel tells whether it runs, after any crash and under any reuse of process numbers, and two servers can
never write the same files, even if somebody deletes the socket or two hosts share the folder over a network.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

# The shell starts the server in the background, tells its number and ends. So the server is nobody's
# child: it needs no waiting for and leaves no zombie in a long-lived caller. (Forking here instead would
# be unsafe in a caller with threads.)
_DETACH = 'given=$1; shift; "$@" >>"$0" 2>&1 <"$given" & echo $!'

# All that the server gets to see of the caller's environment. Not more, since it outlives the caller: an
# environment may hold secrets, and a server started from within a job must not pass for a part of that job.
_PASSED_ON = ("PATH", "HOME", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Process(NamedTuple):
    """A server process: its number, what tells it from a later one of that number, and its host."""

    pid: int
    started: str
    host: str


def spawn(argv: list[str], *, directory: str, stdin: str, log: str, lock: int) -> Process:
    """Run a program detached from terminal, session and caller.

    It reads the file ``stdin``, and its output goes to the end of the file ``log``. It inherits the descriptor
    ``lock`` and none beside, and what it creates is its owner's alone. Raises `OSError`.
    """
    shell = subprocess.run(
        ["/bin/sh", "-c", _DETACH, log, stdin, *argv],
        cwd=directory,
        env={"LC_ALL": "C", **{name: os.environ[name] for name in _PASSED_ON if name in os.environ}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        umask=0o077,
        pass_fds=(lock,),
        check=False,
    )
    if shell.returncode != 0 or not shell.stdout.strip().isdigit():
        raise OSError(f"/bin/sh ended with {shell.returncode}")
    pid = int(shell.stdout)
    return Process(pid, _start_mark(pid), os.uname().nodename)


def open_lock(path: str) -> int:
    """A descriptor on a lock file, made if missing. Raises `OSError`."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_lock(descriptor: int) -> bool:
    """Take the lock if nobody has it. Raises `OSError` where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: str) -> bool:
    """Whether the server that took this lock, or a child of it, still lives."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def record(descriptor: int, process: Process) -> None:
    """Write down, in its lock file, which process holds the lock."""
    forget(descriptor)
    os.pwrite(descriptor, "\n".join((str(process.pid), process.started, process.host, "")).encode(), 0)


def forget(descriptor: int) -> None:
    """Remove what a lock file says about its last holder."""
    os.ftruncate(descriptor, 0)


def recorded(path: str) -> Process | None:
    """Who holds, or last held, the lock; None if that was never written down."""
    try:
        pid, started, host = Path(path).read_text(errors="replace").splitlines()
        return Process(int(pid), started, host)
    except (OSError, ValueError):
        return None


def is_alive(process: Process) -> bool:
    """Whether this very process runs on this host."""
    return process.started != "" and _start_mark(process.pid) == process.started


def shares_file_view(process: Process) -> bool:
    """Whether a name of a file means the same to this process as to us (no mount namespace between us)."""
    try:
        return Path(f"/proc/{process.pid}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink()
    except OSError:
        return not Path("/proc/self/ns").exists()


def terminate(process: Process) -> None:
    """Ask a process to end (SIGTERM: a server closes its files). Does nothing if it has ended."""
    try:
        handle = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return
    except OSError:
        handle = None  # a kernel without pidfds
    try:
        # Looked at after the handle was opened, so the handle can't be of a later process.
        if not is_alive(process):
            return
        if handle is not None:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        else:
            os.kill(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    finally:
        if handle is not None:
            os.close(handle)


def _start_mark(pid: int) -> str:
    """When a process started, in the system's own notation; empty if there is none of this number."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
    else:
        return "" if after_name[0] == b"Z" else after_name[19].decode()
    try:
        # In one notation, whatever the locale and the time zone of the one who asks.
        told = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            capture_output=True,
            check=False,
        )
    except OSError:
        return ""
    return told.stdout.decode(errors="replace").strip()
