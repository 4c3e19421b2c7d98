"""Start the server's process detached, recognize it later, and stop it without its socket.

A running server, or any child of it, holds a lock on the file ``valkey.pid``. So the kernel tells whether it
runs, even after a crash or when a pid is reused. Two servers can never write the same files, even if somebody
deletes the socket or two hosts share the folder over a network.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from queuectl.errors import QueuectlError
from queuectl.server import limits, paths

# The shell starts the server in the background, prints its pid and exits. So the server is nobody's child:
# a long-lived caller needn't wait for it and gets no zombie. (Forking here would be unsafe in a caller with
# threads.)
_DETACH = f'given=$1; shift; {limits.RAISE}"$@" >>"$0" 2>&1 <"$given" & echo $!'

# The only variables that the server inherits. It outlives the caller, whose environment may hold secrets, and a
# server started from within a job must not look like a part of that job.
_PASSED_ON = ("PATH", "HOME", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Process(NamedTuple):
    """A server process: its pid, its start time (a later process can have the same pid), and its host."""

    pid: int
    started: str
    host: str


def spawn(argv: list[str], *, directory: str, stdin: str, log: str, lock: int) -> Process:
    """Run a program detached from terminal, session and caller.

    Its limits are raised as far as the system allows. It reads the file ``stdin`` and appends its output to the
    file ``log``. It inherits the descriptor ``lock`` and no other. Only its owner can access the
    files it creates. Raises `OSError`.
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
    """Open a lock file, creating it if missing; return the descriptor. Raises `OSError`."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_lock(descriptor: int) -> bool:
    """Take the lock if nobody holds it. Raises `OSError` if the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def usable(home: str) -> Iterator[None]:
    """Turn the system's errors within the block into one that says that the state folder can't be used."""
    try:
        yield
    except OSError as error:
        raise paths.unusable(home, error) from error


@contextmanager
def held(directory: str) -> Iterator[None]:
    """Keep a server's files for this process alone: no server runs or starts until the block ends.

    Raises `QueuectlError` if a server runs.
    """
    start, life = open_lock(f"{directory}/start.lock"), open_lock(f"{directory}/valkey.pid")
    try:
        if not (try_lock(start) and try_lock(life)):
            raise QueuectlError(
                "The embedded server is running, or just starting.",
                "Stop it first: queuectl worker stop --wait; queuectl server stop",
            )
        yield
    finally:
        os.close(life)
        os.close(start)


def is_locked(path: str) -> bool:
    """Whether the server that took this lock, or a child of it, is still alive."""
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
    """Write the lock's holder into its lock file."""
    forget(descriptor)
    os.pwrite(descriptor, "\n".join((str(process.pid), process.started, process.host, "")).encode(), 0)


def forget(descriptor: int) -> None:
    """Remove the last holder from a lock file."""
    os.ftruncate(descriptor, 0)


def recorded(path: str) -> Process | None:
    """Return the lock's current or last holder; None if none was recorded."""
    try:
        pid, started, host = Path(path).read_text(errors="replace").splitlines()
        return Process(int(pid), started, host)
    except (OSError, ValueError):
        return None


def is_alive(process: Process) -> bool:
    """Whether this very process is alive on this host."""
    return process.started != "" and _start_mark(process.pid) == process.started


def shares_file_view(process: Process) -> bool:
    """Whether a path means the same to this process as to us (same mount namespace)."""
    try:
        return Path(f"/proc/{process.pid}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink()
    except OSError:
        return not Path("/proc/self/ns").exists()


def terminate(process: Process) -> None:
    """Send SIGTERM, on which a server closes its files. Does nothing if the process has exited."""
    try:
        handle = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return
    except OSError:
        handle = None  # this kernel has no pidfds
    try:
        # Check after opening the handle, so the handle can't belong to a later process.
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
    """When a process started, in the system's own format; empty if no process has this pid."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
    else:
        return "" if after_name[0] == b"Z" else after_name[19].decode()
    try:
        # Always one format, whatever the caller's locale and time zone.
        told = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            capture_output=True,
            check=False,
        )
    except OSError:
        return ""
    return told.stdout.decode(errors="replace").strip()
