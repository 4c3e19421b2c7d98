"""Starts a job's command: its own session and process group, output into a pipe, nothing to read."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping

from queuectl.model.command import EXEC
from queuectl.storage.codec import Lease

_SHELL = b"/bin/sh"
_DEFAULT_PATH = b"/usr/local/bin:/usr/bin:/bin"

# Python ignores these two, and a pool ignores or handles the rest; a command gets them as a shell would.
_RESET_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGCHLD,
)

NOT_FOUND = 127
NOT_EXECUTABLE = 126
"""What a shell exits with when it can't find, or can't start, a command."""


class CannotStart(Exception):
    """The command could not be started; ``exit_code`` is what a shell would give."""

    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code
        self.reason = reason


class Spawner:
    """Starts commands for one runner. It changes the process's own working directory, so only one may exist."""

    def __init__(self) -> None:
        self._environ = dict(os.environb)
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._directory: bytes | None = None

    def start(self, lease: Lease, variables: Mapping[bytes, bytes], worker: str) -> tuple[int, int]:
        """Start the command; gives the pid, which is its group's and session's too, and the pipe to read.

        ``variables`` stand above the worker's own environment. Raises CannotStart.
        """
        environ = {
            **self._environ,
            **variables,
            b"QUEUECTL_JOB_ID": lease.job_id.encode(),
            b"QUEUECTL_ATTEMPT": b"%d" % (lease.attempts + 1),
            b"QUEUECTL_FENCE": b"%d" % lease.fence,
            b"QUEUECTL_QUEUE": lease.queue.encode(),
            b"QUEUECTL_WORKER": worker.encode(),
        }
        self._enter(lease.cwd)
        if lease.form == EXEC:
            argv = lease.command.split(b"\0")
            program = _find(argv[0], environ.get(b"PATH", _DEFAULT_PATH))
        else:
            argv = [b"sh", b"-c", lease.command]
            program = _SHELL
        reader, writer = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        try:
            pid = self._spawn(program, argv, environ, writer)
        except OSError as error:
            os.close(reader)
            if error.errno in (errno.EAGAIN, errno.ENOMEM):
                raise  # not the command's doing: the machine has no room for a process now
            raise _cannot_start(program, error) from None
        finally:
            os.close(writer)
        os.set_blocking(reader, False)
        return pid, reader

    def _spawn(self, program: bytes, argv: list[bytes], environ: Mapping[bytes, bytes], output: int) -> int:
        files = [
            (os.POSIX_SPAWN_DUP2, self._null, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ]
        try:
            return self._exec(program, argv, environ, files)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without a #! line: a shell runs it as one of its own, and so do we.
            return self._exec(_SHELL, [b"sh", program, *argv[1:]], environ, files)

    @staticmethod
    def _exec(
        program: bytes, argv: list[bytes], environ: Mapping[bytes, bytes], files: list[tuple[int, int, int]]
    ) -> int:
        # posix_spawn shares memory until the exec, as vfork does: no page tables are copied.
        return os.posix_spawn(
            program, argv, environ, file_actions=files, setsid=True, setsigmask=(), setsigdef=_RESET_SIGNALS
        )

    def _enter(self, directory: bytes) -> None:
        if directory == self._directory:
            return
        try:
            os.chdir(directory or b"/")
        except OSError as error:
            self._directory = None
            shown = os.fsdecode(directory)
            raise CannotStart(
                NOT_EXECUTABLE, f"its directory can't be entered: {shown}: {error.strerror}"
            ) from None
        self._directory = directory


def _find(program: bytes, path: bytes) -> bytes:
    """Where execvp would find ``program``."""
    if b"/" in program:
        return program
    for directory in path.split(b":"):
        candidate = os.path.join(directory or b".", program)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise CannotStart(NOT_FOUND, f"no such program on its PATH: {os.fsdecode(program)}")


def _cannot_start(program: bytes, error: OSError) -> CannotStart:
    code = NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE
    return CannotStart(code, f"could not be started: {os.fsdecode(program)}: {error.strerror}")
