"""What a pool leaves in the state folder: who it is while it lives, and how to start it again once it was stopped.

The pool holds a lock on its record, and its runners share it; the kernel frees it when the last of them is
gone, however that came about. So a record that is not locked is a pool that was killed, or one that the stop
signal ended and that `worker resume` may start again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from queuectl.settings import Settings
from queuectl.storage.open import server_url
from queuectl.worker.options import PoolOptions


class PoolRecord(NamedTuple):
    """One pool. ``queue`` says which queue it works for, without a password."""

    pid: int
    host: str
    queue: str
    runners: list[str]
    options: PoolOptions
    stopped: bool


def queue_label(settings: Settings) -> str:
    """The server and namespace, so that a pool of another queue is left alone."""
    return f"{server_url(settings).redacted()} {settings.namespace}"


class RecordFile:
    """This pool's own record, locked for as long as the pool or one of its runners lives."""

    def __init__(self, settings: Settings, host: str, options: PoolOptions) -> None:
        self._path = os.path.join(_folder(settings), f"{os.getpid()}-{os.urandom(3).hex()}.json")
        self._record = PoolRecord(os.getpid(), host, queue_label(settings), [], options, False)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._write()

    def add_runner(self, name: str) -> None:
        """One more runner belongs to this pool."""
        self._record.runners.append(name)
        self._write()

    def close(self, *, stopped: bool) -> None:
        """The pool ends; the record stays if `worker resume` is to find it."""
        if stopped:
            self._record = self._record._replace(stopped=True)
            self._write()
        else:
            os.unlink(self._path)
        os.close(self._descriptor)

    def _write(self) -> None:
        text = json.dumps(self._record._replace(options=self._record.options._asdict())._asdict())  # type: ignore[arg-type]
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)


def take_stopped(settings: Settings, host: str) -> list[PoolRecord]:
    """Records of pools that the stop signal ended on this host; each is given to one caller only."""
    return [record for record in _take(settings, host) if record.stopped]


def take_dead(settings: Settings, host: str) -> list[PoolRecord]:
    """Records of pools on this host that were killed; each is given to one caller only."""
    return [record for record in _take(settings, host, stopped=False) if not record.stopped]


def _take(settings: Settings, host: str, stopped: bool = True) -> Iterator[PoolRecord]:
    folder = _folder(settings)
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".json"):
            continue
        path = os.path.join(folder, name)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            record = _parse(os.read(descriptor, 1 << 20))
            mine = record is None or (record.host == host and record.queue == queue_label(settings))
            if mine and (record is None or record.stopped == stopped) and os.path.exists(path):
                os.unlink(path)
                if record is not None:
                    yield record
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def _parse(text: bytes) -> PoolRecord | None:
    try:
        fields: dict[str, Any] = json.loads(text)
        return PoolRecord(**{**fields, "options": PoolOptions(**fields["options"])})
    except (ValueError, TypeError, KeyError):
        return None  # cut short by a full disk, or by a kill while it was written


def _folder(settings: Settings) -> str:
    folder = os.path.join(settings.home, "pools")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder
