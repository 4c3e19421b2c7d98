"""Whatever is planted among the logs: nothing outside is read, written or removed, and nothing blocks."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from queuectl.errors import BadConfiguration, InvalidInput
from queuectl.logs import reader
from queuectl.logs.follower import LogFollower
from queuectl.logs.retention import LogSweeper, remove
from queuectl.logs.writer import LogWriter

ID = "ab12"
SECRET = b"the secret of somebody else\n" * 100
LEVELS = ("logs", "logs/ab12", f"logs/ab12/{ID}.1.1.log", f"logs/ab12/{ID}.1.1.8.4.tail")
KINDS = ("link", "relative link", "dangling link", "link to itself", "fifo", "socket", "folder", "hard device")
FAR = 1e12
"""A time at which all logs are old."""


def outside_of(home: Path, level: str) -> Path:
    """What the planted thing leads to: sound logs that are not ours, or one of their files."""
    outside = home.parent / "outside"
    log = LogWriter(outside, ID, 1, 1, 8)
    (outside / "logs" / "ab12").mkdir(parents=True)
    log.write(SECRET)
    for name in (f"{ID}.1.1.log", f"{ID}.1.1.8.4.tail", f"{ID}.2.2.log"):
        (outside / "logs/ab12" / name).write_bytes(SECRET)
    return outside / level


def plant(path: Path, kind: str, target: Path) -> None:
    if kind == "link":
        path.symlink_to(target)
    elif kind == "relative link":
        path.symlink_to(os.path.relpath(target, path.parent))
    elif kind == "dangling link":
        path.symlink_to(target.parent / "nothing here")
    elif kind == "link to itself":
        path.symlink_to(path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        # Its name is longer than a socket's may be, unless it is bound from where it lies.
        here = os.open(path.parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")


def state_of(folder: Path) -> list[tuple[str, int, int, bytes]]:
    """Every name below ``folder``, its kind, its time of change and its content."""
    found = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found.append((str(path), status.st_mode, status.st_mtime_ns, content))
    return found


def write(home: Path) -> bytes:
    log = LogWriter(home, ID, 1, 1, 8)
    log.write(b"our own words, and many of them" * 10)
    log.close()
    return b""


def write_later_run(home: Path) -> bytes:
    log = LogWriter(home, ID, 3, 3)
    log.write(b"a later run")
    log.close()
    return b""


def read(home: Path) -> bytes:
    found = b""
    for log in reader.attempts(home, ID):
        found += b"".join(reader.read(home, ID, fence=log.fence))
    return found + b"".join(reader.read(home, ID, last_lines=3))


def follow(home: Path) -> bytes:
    follower = LogFollower(home, ID, from_first=True)
    return b"".join(follower.read_new() for _ in range(5))


def clear_away(home: Path) -> bytes:
    remove(home, [ID])
    return b""


def sweep(home: Path) -> bytes:
    def nobody(ids: Sequence[str]) -> list[bool]:
        return [False] * len(ids)

    LogSweeper(home, nobody, 0).sweep(FAR)
    return b""


USES = (write, write_later_run, read, follow, clear_away, sweep)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_nothing_leads_outside(tmp_path: Path, level: str, kind: str, use: Callable[[Path], bytes]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    target = outside_of(home, level)
    write(home)
    planted = home / level
    if planted.exists():
        shutil.rmtree(planted) if planted.is_dir() else planted.unlink()
    plant(planted, kind, target)
    before = state_of(tmp_path / "outside")
    try:
        given = use(home)
    except BadConfiguration:
        given = b""
    assert SECRET[:20] not in given
    assert b"\0" not in given
    assert state_of(tmp_path / "outside") == before
    assert os.path.lexists(planted) or use in (clear_away, sweep), "what was planted is not taken away"


@pytest.mark.parametrize("use", [LogWriter, LogFollower, reader.read, reader.attempts])
@pytest.mark.parametrize(
    "bad",
    ["../outside", "..", "/etc/passwd", "ab\0cd", "ab/../cd", "", ".", "ab12/", "AB12", "ab12\n", "٣٣٣٣", "a" * 33],
)
def test_no_path_is_made_of_what_is_no_id(tmp_path: Path, bad: str, use: Callable[..., object]) -> None:
    with pytest.raises(InvalidInput):
        use(tmp_path, bad, 1, 1) if use is LogWriter else use(tmp_path, bad)
    remove(tmp_path, [bad])
    assert list(tmp_path.iterdir()) == []
