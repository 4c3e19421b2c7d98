"""What happens to a pool's record that could not be written completely."""

from __future__ import annotations

import errno
import json
import os
import shlex
import time
from pathlib import Path
from threading import Thread

import pytest

from queuectl import settings
from queuectl.errors import InvalidInput
from queuectl.options import Option, values
from queuectl.options.table import POOL
from queuectl.worker.options import PoolOptions
from queuectl.worker.pool import detach, record
from queuectl.worker.pool.record import INVALID_SECONDS, RecordFile, take_dead, take_stopped


def files(home: Path) -> list[str]:
    return os.listdir(home / "pools")


def test_a_full_disk_leaves_nothing(queuectl_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record.os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        RecordFile(settings.load(), "host", PoolOptions(workers=1)).start()
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
    pool = RecordFile(settings.load(), "host", PoolOptions(workers=1))
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


DAMAGED = (
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"",
    b"null",
    b"[]",
    b"7",
    b"\xff",
    b'{"pid": 1}',
    b'{"pid": 1, "host": "host", "queue": "q", "runners": 5, "options": {}, "stopped": true}',
    b'{"pid": "x", "host": "host", "queue": "q", "runners": [], "options": {}, "stopped": true}',
    b'{"pid": 1, "host": "host", "queue": "q", "runners": [[]], "options": {}, "stopped": true}',
    b'{"pid": 1, "host": "host", "queue": "q", "runners": [], "options": {"workers": "x"}, "stopped": true}',
    b'{"pid": 1, "host": "host", "queue": "q", "runners": [], "options": [], "stopped": true}',
    b'{"pid": 1e400, "host": [], "queue": {}, "runners": [], "options": {}, "stopped": 2}',
    b'{"pid": ' + b"9" * 5_000 + b"}",
)


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: content[:12].decode("ascii", "replace"))
def test_a_damaged_record_stops_nobody(queuectl_home: Path, content: bytes) -> None:
    folder = Path(record.pools_folder(settings.load()))
    path = folder / "4711-aaaaaa.json"
    path.write_bytes(content)
    for take in (take_dead, take_stopped):
        assert list(take(settings.load(), "host")) == []
    assert not record.works_here(settings.load(), "host-abcdef-1")
    record.wait_for_marks(settings.load(), "host")
    assert path.exists()
    old = time.time() - INVALID_SECONDS - 1
    os.utime(path, (old, old))
    assert list(take_dead(settings.load(), "host")) == []
    assert not path.exists()


def test_every_record_that_a_pool_writes_is_read(queuectl_home: Path) -> None:
    options = PoolOptions(workers=3, burst=True, lease_seconds=7, grace_seconds=0.5)
    pool = RecordFile(settings.load(), "host", options)
    pool.start()
    pool.add_runner("host-abcdef")
    pool.mark(stopped=True)
    pool.let_go()
    (found,) = take_stopped(settings.load(), "host")
    assert (found.options, found.runners) == (options, ["host-abcdef"])


def test_a_record_of_an_older_version_is_readable(queuectl_home: Path) -> None:
    pool = RecordFile(settings.load(), "host", PoolOptions(workers=3, grace_seconds=1))
    pool.start()
    (path,) = (queuectl_home / "pools").iterdir()
    options = json.loads(path.read_text())["options"]
    assert options == {
        "workers": 3, "burst": False, "lease_seconds": 30, "grace_seconds": 1, "verbose": False
    }  # fmt: skip
    pool.mark(stopped=True)
    pool.let_go()
    assert [found.options for found in take_stopped(settings.load(), "host")] == [
        PoolOptions(workers=3, grace_seconds=1)
    ]


def test_the_background_gets_every_option_of_a_pool() -> None:
    """Also those that are added later."""

    class More(PoolOptions):
        tag = Option(values.texts(), (), "Tags.", POOL)
        naps = Option(values.switch(), False, "It naps.", POOL)

    more = More(workers=3, lease_seconds=90, verbose=True, tag=("a", "b"), naps=True)
    said = shlex.join(detach._command(more, 9)[3:])
    assert said == "worker start --count 3 --lease 90 --grace 5 --verbose --tag a --tag b --naps --ready-fd 9"
    said = shlex.join(detach._command(PoolOptions(), 9)[3:])
    assert said == "worker start --count 1 --lease 30 --grace 5 --quiet --ready-fd 9"


@pytest.mark.parametrize(
    "options", [{"workers": 0}, {"workers": 10_001}, {"lease_seconds": 0.5}, {"burst": "maybe"}]
)
def test_options_of_a_pool_have_bounds(options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        PoolOptions(**options)
