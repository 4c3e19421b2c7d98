"""A pool's record in the state folder: what it is while it runs, and how to restart it after a stop.

The pool holds a lock on its record and shares it with its runners. The kernel frees the lock when the last of them
exits, for whatever reason. So an unlocked record belongs to a pool that was killed, or to one that the stop signal
stopped and that `worker resume` may restart.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

from queuectl.errors import InvalidInput
from queuectl.server.paths import private_folder
from queuectl.settings import Settings
from queuectl.storage.connect import server_url
from queuectl.worker.options import PoolOptions
from queuectl.worker.report import Reporter
from queuectl.worker.shortage import in_words

INVALID_SECONDS = 60.0
"""How long we leave an unreadable record alone: its pool may be writing it right now."""


LARGEST_BYTES = 1 << 20
"""We read no more of a file: the names of 10,000 runners fit into half of it."""

MARK_SECONDS = 2.0
"""How long `worker stop --wait` waits for the marks of pools whose workers have all stopped."""

ENDING_PAUSE_SECONDS = 0.02
"""Pause between two checks of a pool that is about to exit: it may still find that it must resume."""


class PoolRecord(NamedTuple):
    """One pool. ``queue`` identifies the queue it works for, without a password."""

    pid: int
    host: str
    queue: str
    runners: list[str]
    options: PoolOptions
    stopped: bool


_EXAMPLE = PoolRecord(0, "", "", [], PoolOptions(), False)


def pools_folder(settings: Settings) -> str:
    """Return the folder where pools leave their records and messages."""
    return private_folder(settings.home, "pools")


class RecordFile:
    """This pool's own record, a `Service`: locked while the pool or a runner lives."""

    def __init__(self, settings: Settings, host: str, options: PoolOptions) -> None:
        self._settings = settings
        self._path = ""
        self._record = PoolRecord(os.getpid(), host, _queue(settings), [], options, False)
        self._descriptor = -1

    def start(self) -> None:
        """Create the file. Raises OSError on a full disk."""
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
        os.rename(new, self._path)  # others see it only now: complete and locked

    def stop(self) -> None:
        """Remove the record when the pool exits, unless it is marked as stopped."""
        if not self._record.stopped:
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                pass  # somebody removed the state folder
        self.let_go()

    def add_runner(self, name: str) -> None:
        """Add a runner to this pool's record."""
        self._record.runners.append(name)
        self._update()

    def mark(self, *, stopped: bool) -> None:
        """Mark whether the stop signal stopped this pool, so that `worker resume` restarts it."""
        self._record = self._record._replace(stopped=stopped)
        self._update()

    def let_go(self) -> None:
        """Close the record in a child that must not hold its lock, which says that the pool lives."""
        os.close(self._descriptor)

    def _update(self) -> None:
        try:
            self._write()
        except OSError as error:  # a full disk must not stop the running jobs
            Reporter.say(f"the pool's record can't be written: {in_words(error)}")

    def _write(self) -> None:
        fields = {**self._record._asdict(), "options": dict(self._record.options.values())}
        text = json.dumps(fields).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


def take_stopped(settings: Settings, host: str) -> Iterator[PoolRecord]:
    """Yield the records of pools that the stop signal stopped on this host; delete each before the next.

    Waits for a pool that is about to exit: either it leaves its record, or it has noticed the resume and continues.
    """
    return _take(settings, host, stopped=True)


def take_dead(settings: Settings, host: str, kept: Container[int] = ()) -> Iterator[PoolRecord]:
    """Yield the records of pools that were killed on this host; delete each before the next.

    Leaves the record of a pool whose pid is in ``kept`` by then.
    """
    return _take(settings, host, stopped=False, kept=kept)


def wait_for_marks(settings: Settings, host: str) -> None:
    """Wait until each pool of this queue on this host has marked that it was stopped, MARK_SECONDS at most.

    By then its workers have left the server. A signal before the mark would count as its reason to stop, and
    `worker resume` would not restart it.
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
    """Whether this worker belongs to a running pool of this state folder."""
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


def _take(settings: Settings, host: str, *, stopped: bool, kept: Container[int] = ()) -> Iterator[PoolRecord]:
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
                    raise BlockingIOError  # its pool is alive
                time.sleep(ENDING_PAUSE_SECONDS)
            if not os.path.exists(path):
                continue  # another process was faster
            record = _read(descriptor) if whole else None  # its pool was killed before the record was complete
            if record is None and os.fstat(descriptor).st_mtime < time.time() - INVALID_SECONDS:
                os.unlink(path)
            elif record is not None and _is_ours(record, settings, host, stopped):
                yield record
                if record.pid not in kept:
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
    """Return the record; None if it was cut short by a full disk or a kill, or is no record at all."""
    try:
        fields: dict[str, Any] = json.loads(os.pread(descriptor, LARGEST_BYTES, 0))
        record = PoolRecord(**{**fields, "options": PoolOptions(**fields["options"])})
    except (
        ValueError,
        TypeError,
        KeyError,
        RecursionError,
        OSError,
        InvalidInput,
    ):  # RecursionError: a file of "[[[["
        return None
    # The options have checked themselves.
    sound = all(type(value) is type(model) for value, model in zip(record, _EXAMPLE, strict=True))
    return record if sound and all(isinstance(name, str) for name in record.runners) else None
