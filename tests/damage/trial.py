"""Starts the embedded server on a damaged state, follows its advice, and judges what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest import mock

from queuectl import notices
from queuectl.errors import QueuectlError, ServerUnreachable
from queuectl.manager import integrity
from queuectl.manager.queue_manager import QueueManager
from queuectl.options import JobOptions
from queuectl.server import journal, losses, repair
from queuectl.server.backup import backup, restore
from queuectl.server.embedded import EmbeddedServer
from queuectl.settings import load
from queuectl.storage import RedisStorage
from waiting import wait_until

from .states import Damage

Records = dict[bytes, bytes]

UNHARMED = "unharmed"
TOLD = "told"
REPAIRED = "refused, then repaired"
RESTORED = "refused, then restored from a backup"
UNSEEN = "unseen: other bytes within a value"
SILENT = "SILENT"
BROKEN = "BROKEN"


class Original(NamedTuple):
    """An undamaged state folder, its backup, and its records."""

    home: Path
    backup: Path
    records: Records


class Verdict(NamedTuple):
    """What came of one damaged state."""

    outcome: str
    damage: str
    said: list[str]


def make_original(folder: Path, random: Random) -> Original:
    """A queue of some age: jobs in a base, more jobs and cancellations in the increment."""
    home = folder / "o"
    try:
        with _storage(home) as storage:
            manager = QueueManager(storage)
            old = [_add(manager, random) for _ in range(40)]
            storage.exchange([("BGREWRITEAOF",)])
            wait_until(lambda: b"aof_rewrite_in_progress:0" in storage.exchange([("INFO", "persistence")])[0])
            for number in range(60):
                _add(manager, random)
                if number % 3 == 0:
                    manager.cancel(old.pop())
            records = _records(storage)
        backup(str(home), str(folder / "backup.tar"))
    finally:
        EmbeddedServer(str(home)).stop()
    return Original(home, folder / "backup.tar", records)


def judge(original: Original, damage: Damage, seed: int, folder: Path) -> Verdict:
    """Damage a copy of the original, and use it as a person would who does what the messages say."""
    home = folder / "h"
    shutil.copytree(original.home, home)
    words = damage(home / "server" / journal.FOLDER, Random(seed))
    said: list[str] = []
    try:
        with mock.patch.object(notices, "printer", said.append):
            outcome = _use(original, home, said)
    except Exception as error:  # the trial's result, whatever it is
        outcome = f"{BROKEN}: {type(error).__name__}: {error}"
    finally:
        EmbeddedServer(str(home)).stop()
        shutil.rmtree(home)
    return Verdict(outcome, f"{damage.__name__}: {words}", said)


def _use(original: Original, home: Path, said: list[str]) -> str:
    before = _sizes(home)
    try:
        EmbeddedServer(str(home)).ensure_running()
    except ServerUnreachable as error:
        said.append(error.message)
        if "server repair" not in error.hint:
            return f"{BROKEN}: no way out: {error.hint}"
        return _follow_advice(original, home)
    with _storage(home) as storage:
        found = _records(storage)
    if losses.of(str(home)):
        return TOLD if said else SILENT
    if found == original.records:
        return UNHARMED
    return UNSEEN if before == _sizes(original.home) else SILENT


def _follow_advice(original: Original, home: Path) -> str:
    before = _content(home)
    if not repair.check(str(home)).problems:
        return f"{BROKEN}: the check found nothing"
    try:
        done = repair.repair(str(home))
    except QueuectlError as error:
        if "server restore" not in error.hint:
            return f"{BROKEN}: no way out: {error.hint}"
        if _content(home) != before:
            return f"{BROKEN}: a repair that failed changed the files"
        restore(str(home), str(original.backup), replace=True)
        with _storage(home) as storage:
            return RESTORED if _records(storage) == original.records else f"{BROKEN}: restored something else"
    if done.copy is None or {path.name: path.read_bytes() for path in Path(done.copy).iterdir()} != before:
        return f"{BROKEN}: the copy is not what was there"
    with _storage(home) as storage:
        problems = list(integrity.check(storage, repair=False))
    return REPAIRED if not problems or _has_other_bytes(original, home) else f"{BROKEN}: fsck found {problems}"


def _has_other_bytes(original: Original, home: Path) -> bool:
    """Whether what was kept differs from what was written: then records may be wrong."""
    now, then = _content(home), _content(original.home)
    return any(not then.get(name, b"").startswith(content) for name, content in now.items() if name in then)


def _add(manager: QueueManager, random: Random) -> str:
    return manager.enqueue(f"echo {'x' * random.randrange(400)}".encode(), JobOptions())


def _records(storage: RedisStorage) -> Records:
    (found,) = storage.exchange([("KEYS", "*")])
    keys = sorted(found)
    return dict(zip(keys, storage.exchange([("DUMP", key) for key in keys]), strict=True))


@contextmanager
def _storage(home: Path) -> Iterator[RedisStorage]:
    storage = RedisStorage(settings=load(environ={"QUEUECTL_HOME": str(home), "QUEUECTL_CONFIG": "/dev/null"}))
    try:
        yield storage
    finally:
        storage.close()


def _content(home: Path) -> dict[str, bytes]:
    folder = home / "server" / journal.FOLDER
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def _sizes(home: Path) -> dict[str, int]:
    return {name: len(content) for name, content in _content(home).items()}
