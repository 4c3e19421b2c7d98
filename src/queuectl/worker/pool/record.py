"""What a pool leaves in the state folder: who it is while it lives, and how to start it again once it was stopped.

The pool holds a lock on its record, and its runners share it; the kernel frees it when the last of them is
gone, however that came about. So a record that is not locked is a pool that was killed, or one that the stop
signal ended and that `worker resume` may start again.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from queuectl.server.paths import private_folder
from queuectl.settings import Settings
from queuectl.storage.connect import server_url
from queuectl.worker.options import PoolOptions
from queuectl.worker.report import Reporter

INVALID_SECONDS = 60.0
"""A record that can't be read is left alone so long: its pool may be writing it just now."""


MARK_SECONDS = 2.0
"""How long `worker stop --wait` waits for the notes of pools whose workers have all stopped."""

ENDING_PAUSE_SECONDS = 0.02
"""Between two checks of a pool that is about to exit: it may also find that it is to work on."""


class PoolRecord(NamedTuple):
    """One pool. ``queue`` says which queue it works for, without a password."""

    pid: int
    host: str
    queue: str
    runners: list[str]
    options: PoolOptions
    stopped: bool


def pools_folder(settings: Settings) -> str:
    """Where pools leave their records and messages."""
    return private_folder(settings.home, "pools")


class RecordFile:
    """This pool's own record, a `Service`: locked while the pool or a runner lives."""

    def __init__(self, settings: Settings, host: str, options: PoolOptions) -> None:
        self._settings = settings
        self._path = ""
        self._record = PoolRecord(os.getpid(), host, _queue(settings), [], options, False)
        self._descriptor = -1

    def start(self) -> None:
        """Make the file. OSError on a full disk."""
        folder, name = pools_folder(self._settings), f"{os.getpid()}-{os.urandom(3).hex()}"
        self._path = os.path.join(folder, f"{name}.json")
        new = os.path.join(folder, f"{name}.new")
        self._descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._write()
        except OSError:
            os.unlink(new)
            raise
        os.rename(new, self._path)  # only now can others see it: whole, and locked

    def stop(self) -> None:
        """The pool exits. Its record stays if it is marked."""
        if not self._record.stopped:
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                pass  # the state folder was removed under us
        self.let_go()

    def add_runner(self, name: str) -> None:
        """One more runner belongs to this pool."""
        self._record.runners.append(name)
        self._update()

    def mark(self, *, stopped: bool) -> None:
        """Whether the stop signal has ended this pool, so that `worker resume` is to start it again."""
        self._record = self._record._replace(stopped=stopped)
        self._update()

    def let_go(self) -> None:
        """In a child: it does not hold the record, whose lock says that the pool lives."""
        os.close(self._descriptor)

    def _update(self) -> None:
        try:
            self._write()
        except OSError as error:  # a full disk must not stop the jobs that run
            Reporter.say(f"the pool's record can't be written: {error.strerror}")

    def _write(self) -> None:
        fields = {**self._record._asdict(), "options": self._record.options._asdict()}
        text = json.dumps(fields).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


def take_stopped(settings: Settings, host: str) -> Iterator[PoolRecord]:
    """Records of pools that the stop signal ended on this host. One is gone once the next is asked for.

    A pool that is just about to end is waited for: either it leaves its record, or it has seen that the stop
    signal was taken back, and goes on.
    """
    return _take(settings, host, stopped=True)


def take_dead(settings: Settings, host: str) -> Iterator[PoolRecord]:
    """Records of pools on this host that were killed. One is gone once the next is asked for."""
    return _take(settings, host, stopped=False)


def wait_for_marks(settings: Settings, host: str) -> None:
    """Wait until each pool of this queue on this host has noted that it was stopped, MARK_SECONDS at most.

    Its workers have left the server by then. A signal in the moment between would count as its reason to stop, and
    `worker resume` would not start it again.
    """
    deadline = time.monotonic() + MARK_SECONDS
    folder = pools_folder(settings)
    for name in [name for name in os.listdir(folder) if name.endswith(".json")]:
        while time.monotonic() < deadline and _lives_unmarked(os.path.join(folder, name), settings, host):
            time.sleep(ENDING_PAUSE_SECONDS)


def _lives_unmarked(path: str, settings: Settings, host: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor) and _is_ours(_read(descriptor), settings, host, stopped=False)
    finally:
        os.close(descriptor)


def works_here(settings: Settings, worker: str) -> bool:
    """Whether the worker of this name belongs to a pool of this state folder that has not ended."""
    folder = pools_folder(settings)
    for name in os.listdir(folder):
        if name.endswith(".json"):
            try:
                descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                record = _read(descriptor)
            finally:
                os.close(descriptor)
            if record is not None and worker.rpartition("-")[0] in record.runners:
                return True
    return False


def _take(settings: Settings, host: str, *, stopped: bool) -> Iterator[PoolRecord]:
    folder = pools_folder(settings)
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        whole = name.endswith(".json")
        if not whole and not name.endswith(".new"):
            continue
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            while not _try_lock(descriptor):
                if not (stopped and whole and _is_ours(_read(descriptor), settings, host, stopped)):
                    raise BlockingIOError  # it lives
                time.sleep(ENDING_PAUSE_SECONDS)
            if not os.path.exists(path):
                continue  # another was faster
            record = _read(descriptor) if whole else None  # its pool was killed before it could show it
            if record is None and os.fstat(descriptor).st_mtime < time.time() - INVALID_SECONDS:
                os.unlink(path)
            elif record is not None and _is_ours(record, settings, host, stopped):
                yield record
                os.unlink(path)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_ours(record: PoolRecord | None, settings: Settings, host: str, stopped: bool) -> bool:
    return (
        record is not None and (record.host, record.queue) == (host, _queue(settings)) and record.stopped == stopped
    )


def _queue(settings: Settings) -> str:
    return f"{server_url(settings).redacted()} {settings.namespace}"


def _read(descriptor: int) -> PoolRecord | None:
    try:
        fields: dict[str, Any] = json.loads(os.pread(descriptor, 1 << 20, 0))
        return PoolRecord(**{**fields, "options": PoolOptions(**fields["options"])})
    except (ValueError, TypeError, KeyError):
        return None  # cut short by a full disk, or by a kill while it was written
