"""The embedded server's life: started on first use, restarted after a crash, stopped on request."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from queuectl.errors import BadConfiguration, ServerRefused, ServerUnreachable
from queuectl.notices import tell
from queuectl.server import binary, config, failures, journal, launch, limits, losses, paths, wire
from queuectl.server.wire import Answer
from queuectl.settings import LOADING_SECONDS

# A server binds its socket within milliseconds; this allows for a heavily loaded machine.
_ANSWER_SECONDS = 30.0
# How long a server without a socket may take to start listening, or to finish stopping, before we stop it.
_UNREACHABLE_SECONDS = 5.0
_ENDING_SECONDS = 30.0

# The server reads its settings from stdin. It would take a path with one of ``*?[`` for a pattern, and a server
# that finds no match uses its defaults. Whatever it reads, it opens no port.
_FROM_STDIN = ("-", "--port", "0")

_LOG_KEPT_BYTES = 1 << 20
_QUIET_SECONDS = 1.0
"""After this long, a command says why it waits."""


class ServerStatus(NamedTuple):
    """The server's state. All but the paths is None while it doesn't run or doesn't answer."""

    running: bool
    pid: int | None
    version: str | None
    socket: str
    data_dir: str
    uptime_seconds: int | None
    used_memory_bytes: int | None
    aof_bytes: int | None
    name: str | None = None
    """``valkey`` or ``redis``."""


class EmbeddedServer:
    """The private server of the state folder ``home``.

    ``appendfsync`` (``always``, ``everysec`` or ``no``) says when a write reaches the disk. It applies to servers
    started from now on, not to a running one. The constructor touches nothing.
    """

    def __init__(self, home: str, appendfsync: str = "always") -> None:
        self._home = str(Path(home).absolute())
        self._appendfsync = config.check_appendfsync(appendfsync)
        self._directory = paths.server_directory(home)
        self._pid_file = f"{self._directory}/valkey.pid"
        self._log = Path(f"{self._directory}/valkey.log")
        self._journal = Path(f"{self._directory}/{journal.FOLDER}")

    def ensure_running(self) -> str:
        """Return the socket of a server that takes commands; start the server if it doesn't run.

        Any number of processes may call this at once: one starts the server, and all wait until it has loaded
        its data. Raises `BadConfiguration` if the folder or the server program can't be used,
        `ServerUnreachable` if the server exits while starting or doesn't answer.
        """
        with launch.usable(self._home):
            paths.prepare(self._home)
            socket = paths.socket_path(self._home)
            lock = launch.open_lock(f"{self._directory}/start.lock")
            try:
                for answer in _answers(socket):
                    if answer is Answer.READY:
                        return socket
                    if answer is Answer.ABSENT and launch.try_lock(lock) and self._start(socket):
                        return socket
            finally:
                os.close(lock)
        raise self._unanswered()

    def stop(self, timeout_seconds: float = 10.0) -> bool:
        """Shut the server down with its data on disk; return whether one was running.

        Raises `ServerRefused` if the server refuses, `ServerUnreachable` if it hasn't exited in time.
        """
        socket = paths.socket_path(self._home)
        with launch.usable(self._home):
            process = launch.recorded(self._pid_file)
            if not launch.is_locked(self._pid_file):
                return False
            if wire.probe(socket) is Answer.ABSENT:
                self._end_without_socket(process)
            else:
                try:
                    reply = wire.ask(socket, b"SHUTDOWN", timeout_seconds)
                except OSError:
                    reply = b""  # it exited before we could tell it to, or hasn't answered in time
                if reply:
                    raise ServerRefused(
                        f"The server did not shut down: {reply[1:].decode(errors='replace')}",
                        f"See {self._log}.",
                    )
            for _ in _moments(timeout_seconds):
                if not launch.is_locked(self._pid_file):
                    with suppress(OSError):
                        losses.note_sizes(self._directory)
                    return True
                # Another command may have started the next server already.
                if launch.recorded(self._pid_file) not in (process, None):
                    return True
        raise ServerUnreachable(
            f"The server{_numbered(process)} has not ended within {timeout_seconds:g} s.",
            f"See {self._log}.",
        )

    def status(self) -> ServerStatus:
        """Return what the server says about itself. Starts and changes nothing."""
        socket = paths.socket_path(self._home)
        facts = wire.facts(socket)
        if "process_id" not in facts:
            process = launch.recorded(self._pid_file)
            alive = process is not None and launch.is_alive(process)
            pid = process.pid if process is not None and alive else None
            return ServerStatus(alive, pid, None, socket, self._directory, None, None, None)
        # Valkey also reports the Redis version it is compatible with.
        valkey = facts.get("valkey_version")
        return ServerStatus(
            running=True,
            pid=int(facts["process_id"]),
            version=valkey or facts.get("redis_version"),
            socket=socket,
            data_dir=self._directory,
            uptime_seconds=int(facts["uptime_in_seconds"]),
            used_memory_bytes=int(facts["used_memory"]),
            aof_bytes=int(facts["aof_current_size"]) if "aof_current_size" in facts else None,
            name="valkey" if valkey else "redis",
        )

    def _start(self, socket: str) -> bool:
        """Start a server and wait until it takes commands; the caller holds the start lock.

        Returns False if one is running after all; it may still be loading.
        """
        lock = launch.open_lock(self._pid_file)
        try:
            if not self._take_over(lock, socket):
                return False
            launch.forget(lock)
            files = self._files()
            program = binary.find()
            settings = self._write_config(socket)
            self._tell_losses(over=True)  # of a start that nobody waited for
            log_start = self._rotate_log()
            losses.begin(self._directory, files, log_start)
            process = launch.spawn(
                [program.path, *_FROM_STDIN],
                directory=self._directory,
                stdin=settings,
                log=str(self._log),
                lock=lock,
            )
            launch.record(lock, process)
            _warn_of_limits(process)
        finally:
            # From here on, only the server holds the lock, and it goes when the server exits.
            os.close(lock)
        for answer in _answers(socket):
            if answer is Answer.READY:
                paths.sync_folder(self._directory)
                self._tell_losses()
                return True
            if answer is Answer.ABSENT and not launch.is_locked(self._pid_file):
                raise failures.explain(program, self._directory, self._logged(log_start))
        raise self._unanswered()

    def _files(self) -> list[journal.JournalFile] | None:
        """Return the files of the journal, None if it has none yet; refuse to start a server over the remains."""
        try:
            files = journal.read_manifest(self._journal)
            if files is not None:
                journal.check_files(self._journal, files)
        except journal.Damage as damage:
            raise ServerUnreachable(
                f"The embedded server is not started, because its data are incomplete: {damage}",
                failures.REPAIR_HINT,
            ) from None
        return files

    def _tell_losses(self, *, over: bool = False) -> None:
        with suppress(OSError):  # the disk is full; the next command tries again
            for loss in losses.settle(self._home, over=over):
                tell(f"{loss.words} {losses.HINT}")

    def _logged(self, start: int) -> str:
        written = self._log.read_bytes() if self._log.exists() else b""
        return written[start:].decode(errors="replace")

    def _take_over(self, lock: int, socket: str) -> bool:
        """Take the lock that a server holds for its life; return False if a server starts to answer first.

        A server can hold the lock without listening: it is starting (its starter was killed) or stopping,
        its socket was deleted, or it runs on another host.
        """
        for patience in (_UNREACHABLE_SECONDS, _ENDING_SECONDS):
            for _ in _moments(patience):
                # Probe first: the server may have started while we waited for the start lock.
                if wire.probe(socket) is not Answer.ABSENT:
                    return False
                if launch.try_lock(lock):
                    return True
            if patience == _UNREACHABLE_SECONDS:
                self._end_without_socket(launch.recorded(self._pid_file))
        raise self._unanswered()

    def _end_without_socket(self, process: launch.Process | None) -> None:
        """Stop a server that nobody can reach, or say why we must not."""
        if process is None:
            return
        if not launch.is_alive(process):
            if process.host != os.uname().nodename:
                raise BadConfiguration(
                    f"The server of {self._home} runs on the host {process.host}, as process {process.pid}.",
                    "One state folder serves one host: set QUEUECTL_HOME to another folder here.",
                )
            return  # a child that rewrites the file holds the lock, and exits by itself
        if not launch.shares_file_view(process):
            raise ServerUnreachable(
                f"The server of {self._home} (process {process.pid}) has its socket out of reach.",
                "Set QUEUECTL_HOME to a shorter path, so that the socket is inside of it.",
            )
        launch.terminate(process)

    def _write_config(self, socket: str) -> str:
        path = Path(f"{self._directory}/valkey.conf")
        text = config.render(
            directory=self._directory, socket=socket, log=str(self._log), appendfsync=self._appendfsync
        )
        fresh = path.with_suffix(".conf.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
        fresh.replace(path)
        return str(path)

    def _rotate_log(self) -> int:
        """Limit the log's size; return the offset at which this start's lines begin."""
        size = self._log.stat().st_size if self._log.exists() else 0
        if size <= _LOG_KEPT_BYTES:
            return size
        self._log.replace(self._log.with_suffix(".log.1"))
        return 0

    def _unanswered(self) -> ServerUnreachable:
        process = launch.recorded(self._pid_file)
        return ServerUnreachable(f"The embedded server{_numbered(process)} does not answer.", f"See {self._log}.")


def _answers(socket: str) -> Iterator[Answer]:
    """Probe the socket until the time is up; a server that is loading gets longer."""
    began = time.monotonic()
    loading_since = None
    give_up = began + _ANSWER_SECONDS
    told = False
    for _ in _moments(LOADING_SECONDS + _ANSWER_SECONDS):
        answer = wire.probe(socket)
        yield answer
        now = time.monotonic()
        if not told and now - began > _QUIET_SECONDS:
            told = True
            tell(_waiting_for(answer, socket))
        if answer is Answer.LOADING:
            loading_since = loading_since or now
            give_up = now + _ANSWER_SECONDS
            if now - loading_since > LOADING_SECONDS:
                return
        if now > give_up:
            return


def _waiting_for(answer: Answer, socket: str) -> str:
    if answer is not Answer.LOADING:
        return f"Waiting up to {_ANSWER_SECONDS:.0f} s for the embedded server to answer."
    facts = wire.facts(socket, "persistence")
    percent = facts.get("loading_loaded_perc", "0").partition(".")[0]
    minutes = round(LOADING_SECONDS / 60)
    return f"The embedded server is reading its data ({percent} % done). Waiting up to {minutes} minutes."


def _warn_of_limits(process: launch.Process) -> None:
    held = list(limits.lasting())
    if held:
        tell(
            f"This shell limits the embedded server in {', '.join(held)}; it may stop when it reaches that. "
            "Start it from another shell: queuectl server stop; then there: queuectl server start"
        )
    if limits.is_low_priority(process.pid):
        tell("The embedded server runs with low priority (nice), as this shell does, and may answer late.")


def _moments(seconds: float) -> Iterator[None]:
    """Yield at once, and then at growing intervals until the time is up."""
    end = time.monotonic() + seconds
    pause = 0.001
    while True:
        yield
        if time.monotonic() >= end:
            return
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _numbered(process: launch.Process | None) -> str:
    return f" (process {process.pid})" if process is not None else ""
