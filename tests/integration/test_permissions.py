"""Under the widest umask, no file, folder or socket is ever open to others, not even briefly; see `Watch`."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import counts, run
from queuectl.errors import BadConfiguration
from queuectl.server.paths import private_folder
from queuectl.storage import RedisStorage

JOBS = 1_000
OTHERS = 0o077

CREATE, MOVED_TO, ATTRIB, IS_DIR = 0x100, 0x80, 0x4, 0x40000000
EVENT = struct.Struct("iIII")


class Watch:
    """Sees by inotify all that is created in a folder and below it, and every later change of a mode.

    A mode that was too wide for an instant betrays itself by the change that narrowed it. What comes into a new
    folder before it is watched is not seen; it is found by `widest` if it stays.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_CLOEXEC)
        assert self._descriptor >= 0
        self._folders: dict[int, Path] = {}
        self.created = 0
        self.open_to_others: set[str] = set()
        self.changed: set[str] = set()
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> Watch:
        self._add(self._top)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._ended, b"x")
        self._thread.join()
        for descriptor in (self._descriptor, self._end, self._ended):
            os.close(descriptor)

    def _add(self, folder: Path) -> None:
        number = self._libc.inotify_add_watch(
            self._descriptor,
            os.fsencode(folder),
            CREATE | MOVED_TO | ATTRIB | 0x1000000,  # IN_ONLYDIR
        )
        if number >= 0:
            self._folders[number] = folder

    def _follow(self) -> None:
        import select

        while True:
            ready, _, _ = select.select([self._descriptor, self._end], [], [])
            if self._descriptor not in ready:
                return
            data = os.read(self._descriptor, 1 << 16)
            while data:
                number, mask, _, length = EVENT.unpack_from(data)
                name = data[EVENT.size : EVENT.size + length].rstrip(b"\0")
                data = data[EVENT.size + length :]
                if name and number in self._folders:
                    self._note(self._folders[number] / os.fsdecode(name), mask)

    def _note(self, path: Path, mask: int) -> None:
        if mask & ATTRIB:
            self.changed.add(str(path))
        else:
            self.created += 1
        if mask & IS_DIR:
            self._add(path)
        if is_open(path):
            self.open_to_others.add(str(path))


def is_open(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.lstat().st_mode) & OTHERS)
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="it watches with inotify")
def test_a_thousand_creations_under_umask_0(
    queue: RedisStorage, queuectl_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queuectl_home.mkdir(0o700)
    monkeypatch.setenv("QUEUECTL_APPENDFSYNC", "no")  # as it is about names, not about the disk
    with Watch(queuectl_home) as watch:
        run("enqueue", "--from", "-", stdin=b"echo one line\n" * JOBS, umask=0)
        run("enqueue", "head -c 20000000 /dev/zero", umask=0)  # its log goes into several files
        run("worker", "start", "--burst", "--count", "4", umask=0)
        run("worker", "start", "--detach", umask=0)
        run("worker", "stop", "--wait", umask=0)
        run("worker", "resume", umask=0)
        run("worker", "stop", "--wait", umask=0)
    assert counts() == {"completed": JOBS + 1}
    assert watch.created > JOBS
    assert watch.open_to_others == set()
    assert [path for path in queuectl_home.rglob("*") if is_open(path)] == []
    # The server narrows its socket once more, in a folder that nobody else can enter, and from a mode of 0700.
    assert {Path(path).name for path in watch.changed} <= {"valkey.sock"}


@pytest.mark.skipif(sys.platform != "linux", reason="it watches with inotify")
def test_the_watch_sees_a_mode_that_was_too_wide_for_a_moment(tmp_path: Path) -> None:
    with Watch(tmp_path) as watch:
        (tmp_path / "file").touch(0o600)
        (tmp_path / "late").touch(0o666)
        (tmp_path / "late").chmod(0o600)
    assert {Path(path).name for path in watch.changed} == {"late"}


# What others have planted -------------------------------------------------------------------------


def open_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def readable_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)


def a_file(path: Path) -> None:
    path.touch(0o600)


def a_fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def their_folder(path: Path) -> None:
    path.mkdir(0o700)
    os.chown(path, 65_534, 65_534)


def their_link(path: Path) -> None:
    target = path.with_name("ours")
    target.mkdir(0o700)
    path.symlink_to(target)
    os.chown(path, 65_534, 65_534, follow_symlinks=False)


def link_to_theirs(path: Path) -> None:
    their_folder(path.with_name("theirs"))
    path.symlink_to(path.with_name("theirs"))


PLANTED = (open_folder, readable_folder, a_file, a_fifo, a_socket, their_folder, their_link, link_to_theirs)
THEIRS = (their_folder, their_link, link_to_theirs)


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("name", ["", "server", "pools"])
def test_what_others_could_change_is_refused(queuectl_home: Path, name: str, plant: Callable[[Path], None]) -> None:
    if plant in THEIRS and os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    if not name and plant is readable_folder:
        pytest.skip("what is in it, others can't read")
    if name:
        queuectl_home.mkdir(0o700)
    path = queuectl_home / name if name else queuectl_home
    plant(path)
    before = sorted(queuectl_home.parent.rglob("*"))
    with pytest.raises(BadConfiguration) as refused:
        private_folder(str(queuectl_home), name or "server")
    assert refused.value.exit_code == 78
    assert sorted(queuectl_home.parent.rglob("*")) == before
    if name != "pools":
        answer = run("enqueue", "true", code=78)
        assert str(path) in answer.err
    path.rename(path.with_name("aside"))  # whoever tidies up after this test is refused, too


def test_a_pool_does_not_start_where_others_could_change_its_record(queuectl_home: Path) -> None:
    queuectl_home.mkdir(0o700)
    open_folder(queuectl_home / "pools")
    for more in ([], ["--detach"]):
        assert "pools" in run("worker", "start", *more, code=78).err
