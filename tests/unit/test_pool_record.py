"""What happens to a pool's record that could not be written completely."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from threading import Thread

import pytest

from queuectl import settings
from queuectl.worker.options import PoolOptions
from queuectl.worker.pool import record
from queuectl.worker.pool.record import INVALID_SECONDS, RecordFile, take_dead, take_stopped


def files(home: Path) -> list[str]:
    return os.listdir(home / "pools")


def test_a_full_disk_leaves_nothing(queuectl_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record.os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        RecordFile(settings.load(), "host", PoolOptions(1)).start()
    assert files(queuectl_home) == []


def test_one_that_was_never_shown_goes_in_time(queuectl_home: Path) -> None:
    """Its pool was killed between making and showing it."""
    folder = Path(record.pools_folder(settings.load()))
    left, fresh = folder / "4711-aaaaaa.new", folder / "4712-bbbbbb.new"
    for path in (left, fresh):
        path.touch()
    old = time.time() - INVALID_SECONDS - 1
    os.utime(left, (old, old))
    assert list(take_dead(settings.load(), "host")) == []
    assert files(queuectl_home) == [fresh.name]


def test_a_pool_that_goes_on_after_all_is_not_waited_for(queuectl_home: Path) -> None:
    """It was about to end by the stop signal, and found that this had been taken back."""
    pool = RecordFile(settings.load(), "host", PoolOptions(1))
    pool.start()
    pool.mark(stopped=True)
    found: list[object] = []
    waiting = Thread(target=lambda: found.append(list(take_stopped(settings.load(), "host"))), daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    pool.mark(stopped=False)
    waiting.join(20)
    assert found == [[]]
    pool.stop()
