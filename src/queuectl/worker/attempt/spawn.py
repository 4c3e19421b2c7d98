"""Starts a job's command: in its own session and process group, with output to a pipe and empty stdin."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping

from queuectl.model.command import EXEC
from queuectl.model.job import Job, Lease
from queuectl.worker.attempt import plain

Files = list[tuple[int, int, int]]

_SHELL = b"/bin/sh"
_DEFAULT_PATH = b"/usr/local/bin:/usr/bin:/bin"

# Python ignores these two, and a pool ignores or handles the rest; a command must get the shell's defaults.
_RESET_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGCHLD,
)

_ENTER = b'echo 0 >"$1" && shift && exec "$@"'
"""What the shell runs for a job with a control group: it enters the group, then becomes the job.

So the group holds everything that the job ever starts. If we moved the job from outside, it could start processes
before the move.
"""

NOT_FOUND = 127
NOT_EXECUTABLE = 126
"""A shell's exit codes for a command that it can't find or can't start."""


class CannotStart(Exception):
    """The command could not be started; ``exit_code`` is what a shell would give."""

    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code
        self.reason = reason


class Spawner:
    """Starts commands for one runner. It changes the process's working directory, so use only one."""

    def __init__(self) -> None:
        self._environ = dict(os.environb)
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def environment(self, variables: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Return the worker's own environment, overridden by ``variables``."""
        return {**self._environ, **variables}

    def start(
        self, lease: Lease, environment: Mapping[bytes, bytes], worker: str, entry: bytes | None = None
    ) -> tuple[int, int]:
        """Start the command; return its pid, which is also its group and session id, and the pipe to read.

        ``entry`` is the ``cgroup.procs`` of the control group to run in. Raises CannotStart, or OSError when the
        machine has no room for a process.
        """
        environ = {
            **environment,
            b"QUEUECTL_JOB_ID": lease.job_id.encode(),
            b"QUEUECTL_ATTEMPT": b"%d" % (lease.job.attempts + 1),
            b"QUEUECTL_FENCE": b"%d" % lease.fence,
            b"QUEUECTL_QUEUE": lease.job.queue.encode(),
            b"QUEUECTL_WORKER": worker.encode(),
        }
        _enter(lease.job.cwd)
        if lease.job.cwd:
            environ[b"PWD"] = lease.job.cwd
        reader, writer = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        files = [
            (os.POSIX_SPAWN_DUP2, self._null, 0),
            (os.POSIX_SPAWN_DUP2, writer, 1),
            (os.POSIX_SPAWN_DUP2, writer, 2),
        ]
        try:
            if entry is None:
                pid = self._run(lease.job, environ, files)
            else:
                pid = self._run_within(entry, lease.job, environ, files)
        except ValueError as error:  # a variable without a name, or with a NUL byte
            os.close(reader)
            raise CannotStart(NOT_EXECUTABLE, f"its environment can't be used: {error}") from None
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        os.set_blocking(reader, False)
        return pid, reader

    def _run(self, job: Job, environ: Mapping[bytes, bytes], files: Files) -> int:
        if job.options.nice:
            argv = _words(job, environ)
            return self._run_program(argv[0], argv, environ, files)
        path = environ.get(b"PATH", _DEFAULT_PATH)
        if job.form == EXEC:
            argv = job.command.split(b"\0")
            program = _find(argv[0], path)
            if program is None:
                raise CannotStart(NOT_FOUND, f"no such program on its PATH: {_shown(argv[0])}")
            return self._run_program(program, argv, environ, files)
        words = plain.words(job.command)
        if words and (program := _find(words[0], path)):
            try:
                return self._exec(program, words, environ, files)
            except OSError as error:
                if _no_room(error):
                    raise
                # Let the shell report any other problem with the program, in its own words.
        return self._run_program(_SHELL, [b"sh", b"-c", job.command], environ, files)

    def _run_within(self, entry: bytes, job: Job, environ: Mapping[bytes, bytes], files: Files) -> int:
        argv = _words(job, environ)
        return self._run_program(_SHELL, [b"sh", b"-c", _ENTER, b"sh", entry, *argv], environ, files)

    def _run_program(self, program: bytes, argv: list[bytes], environ: Mapping[bytes, bytes], files: Files) -> int:
        try:
            try:
                return self._exec(program, argv, environ, files)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                # A script without a #! line: shells and execvp run it with a shell.
                return self._exec(_SHELL, [b"sh", program, *argv[1:]], environ, files)
        except OSError as error:
            if _no_room(error):
                raise
            code = NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE
            raise CannotStart(code, f"could not be started: {_shown(program)}: {error.strerror}") from None

    @staticmethod
    def _exec(program: bytes, argv: list[bytes], environ: Mapping[bytes, bytes], files: Files) -> int:
        # posix_spawn shares memory until the exec, like vfork: it copies no page tables.
        return os.posix_spawn(
            program, argv, environ, file_actions=files, setsid=True, setsigmask=(), setsigdef=_RESET_SIGNALS
        )


def _words(job: Job, environ: Mapping[bytes, bytes]) -> list[bytes]:
    """Return the argument list that runs the job's command, for another program to execute."""
    nice = _nice(job.options.nice) if job.options.nice else []
    if job.form != EXEC:
        return [*nice, _SHELL, b"-c", job.command, b"sh"]  # the last one is $0, as without --nice
    argv = job.command.split(b"\0")
    if _find(argv[0], environ.get(b"PATH", _DEFAULT_PATH)) is None:
        raise CannotStart(NOT_FOUND, f"no such program on its PATH: {_shown(argv[0])}")
    return [*nice, *argv]


def _nice(level: int) -> list[bytes]:
    """Return the words of nice(1): posix_spawn can't set a priority, and the job must have it from the start."""
    program = _find(b"nice", _DEFAULT_PATH) or _find(b"nice", os.environb.get(b"PATH", b""))
    if program is None:
        raise CannotStart(NOT_FOUND, "the program nice, which --nice needs, is not on this machine's PATH")
    return [program, b"-n", b"%d" % level, b"--"]


def _enter(directory: bytes) -> None:
    # Even if we are already there: somebody may have removed and recreated the directory.
    try:
        os.chdir(directory or b"/")
    except OSError as error:
        reason = f"its directory can't be entered: {_shown(directory)}: {error.strerror}"
        raise CannotStart(NOT_EXECUTABLE, reason) from None


def _find(program: bytes, path: bytes) -> bytes | None:
    """Return the path where execvp would find ``program``."""
    if b"/" in program:
        return program
    for directory in path.split(b":"):
        candidate = os.path.join(directory or b".", program)
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    return None


def _no_room(error: OSError) -> bool:
    """Whether the machine has no room for a process now, which is not the command's fault."""
    return error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")
