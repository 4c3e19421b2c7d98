"""LogWriter: where a run's output goes, who may read it, and what happens when it can't go there."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
from pathlib import Path

import pytest

from queuectl.errors import InvalidInput
from queuectl.logs import writer
from queuectl.logs.reader import attempts, read
from queuectl.logs.writer import LogWriter

ID = "ab12cd34"


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES_MIN", 1)


def write(home: Path, *outputs: bytes, attempt: int = 1, fence: int = 1, limit: int = 1000) -> LogWriter:
    log = LogWriter(home, ID, attempt, fence, limit)
    for output in outputs:
        log.write(output)
    log.close()
    return log


def files(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())


def test_a_run_has_one_file_named_after_id_attempt_and_fence(tmp_path: Path) -> None:
    log = write(tmp_path, b"out\n", b"\xff\x00 no newline", attempt=2, fence=7)
    path = tmp_path / "logs" / "ab12" / f"{ID}.2.7.log"
    assert path.read_bytes() == b"out\n\xff\x00 no newline"
    assert (log.bytes_seen, log.error) == (17, None)
    assert files(tmp_path) == [f"logs/ab12/{ID}.2.7.log"]


def test_silence_touches_no_disk(tmp_path: Path) -> None:
    log = write(tmp_path, b"")
    assert list(tmp_path.iterdir()) == []
    assert (log.bytes_seen, log.error) == (0, None)


def test_output_is_readable_at_once(tmp_path: Path) -> None:
    log = LogWriter(tmp_path, ID, 1, 1)
    log.write(b"first")
    assert (tmp_path / f"logs/ab12/{ID}.1.1.log").read_bytes() == b"first"
    log.close()


def test_the_same_attempt_of_another_claim_overwrites_nothing(tmp_path: Path) -> None:
    write(tmp_path, b"one", fence=1)
    write(tmp_path, b"two", fence=2)
    again = write(tmp_path, b"three", fence=2)
    assert again.error is not None
    assert "File exists" in again.error
    assert [log.path.read_bytes() for log in attempts(tmp_path, ID)] == [b"one", b"two"]


def test_a_long_output_keeps_its_head_and_its_tail(tmp_path: Path) -> None:
    output = b"".join(b"%07d\n" % line for line in range(200_000))
    log = write(tmp_path, *(output[at : at + 65536] for at in range(0, len(output), 65536)), limit=1000)
    gap = b"\n[queuectl: 1,599,000 bytes left out here]\n"
    assert (tmp_path / f"logs/ab12/{ID}.1.1.log").read_bytes() == output[:500] + gap + output[-500:]
    assert files(tmp_path) == [f"logs/ab12/{ID}.1.1.log"]
    assert log.bytes_seen == 1_600_000


def test_the_defaults_bound_disk_and_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    mib = 1024 * 1024
    log = LogWriter(tmp_path, ID, 1, 1)
    before = len(os.listdir("/dev/fd"))
    for _ in range(41):
        log.write(bytes(mib))
        assert sum((tmp_path / name).stat().st_size for name in files(tmp_path)) <= 24 * mib
        assert len(os.listdir("/dev/fd")) <= before + 3
    log.close()
    assert len(os.listdir("/dev/fd")) == before
    size = (tmp_path / f"logs/ab12/{ID}.1.1.log").stat().st_size
    assert size == 16 * mib + len("\n[queuectl: 26,214,400 bytes left out here]\n")


def test_small_limits_still_have_segments_of_a_useful_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    created = []
    create_file = writer.layout.create_file
    monkeypatch.setattr(writer.layout, "create_file", lambda *args: created.append(args[0]) or create_file(*args))
    output = bytes(range(250)) * 12_000
    write(tmp_path, *(output[at : at + 65536] for at in range(0, len(output), 65536)), limit=10)
    assert len(created) == 4  # the log, and three segments of 1 MiB for 3 MB
    assert (tmp_path / f"logs/ab12/{ID}.1.1.log").read_bytes() == (
        output[:5] + b"\n[queuectl: 2,999,990 bytes left out here]\n" + output[-5:]
    )


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_read(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        log = LogWriter(tmp_path, ID, 1, 1, 4)
        log.write(b"long enough for segments")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs").rglob("*")}
        assert modes.pop("ab12") == 0o700
        assert set(modes.values()) == {0o600}
        assert len(modes) == 3
        log.close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


@pytest.mark.parametrize("bad", ["", "abc", "a" * 33, "../../etc", "ABCD", "ab/cd", "abcd\n", "ab.d", "abcg"])
def test_no_path_is_built_from_an_unchecked_id(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InvalidInput):
        LogWriter(tmp_path, bad, 1, 1)


@pytest.mark.parametrize("numbers", [(0, 1, 10), (1, 0, 10), (1, -1, 10), (1, 1, 0)])
def test_attempt_fence_and_limit_start_at_one(tmp_path: Path, numbers: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput):
        LogWriter(tmp_path, ID, *numbers)


@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "fifo", "file"])
@pytest.mark.parametrize("level", ["logs", "logs/ab12", f"logs/ab12/{ID}.1.1.log", f"logs/ab12/{ID}.1.1.4.2.tail"])
def test_what_is_planted_gets_nothing(tmp_path: Path, level: str, kind: str) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    planted = home / level
    planted.parent.mkdir(parents=True)
    is_directory = level in ("logs", "logs/ab12")
    if kind == "fifo":
        os.mkfifo(planted)
    elif kind == "file":
        planted.write_bytes(b"")
    else:
        planted.symlink_to(outside)
        if kind == "symlink" and is_directory:
            outside.mkdir()
        elif kind == "symlink":
            outside.write_bytes(b"")
    log = write(home, b"secret of the job", limit=4)
    assert log.error is not None
    assert level.split("/")[0] in log.error
    assert log.bytes_seen == 17
    if outside.is_dir():
        assert list(outside.iterdir()) == []
    assert not outside.is_file() or outside.read_bytes() == b""
    assert kind != "dangling symlink" or not outside.exists()


def test_a_full_disk_costs_output_but_not_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.write, []

    def full(fd: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data[:3])

    log = LogWriter(tmp_path, ID, 1, 1)
    monkeypatch.setattr(os, "write", full)
    for _ in range(10):
        log.write(b"12345")
    log.close()
    assert log.error == f"can't write {tmp_path}/logs/ab12/{ID}.1.1.log: No space left on device"
    assert len(calls) == 3
    assert log.bytes_seen == 50
    assert (tmp_path / f"logs/ab12/{ID}.1.1.log").read_bytes() == b"12345"


def test_a_file_size_limit_of_the_system_is_a_full_disk(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = LogWriter(tmp_path, ID, 1, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        log.write(bytes(600))
        log.write(bytes(600))
        log.write(bytes(600))
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.error is not None
    assert "File too large" in log.error
    assert [file.size for file in attempts(tmp_path, ID)] == [1000]


def test_a_tail_that_finds_no_room_at_the_end_stays_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogWriter(tmp_path, ID, 1, 1, 8)
    log.write(b"0123456789abcdefghijkl")
    so_far = b"".join(read(tmp_path, ID))

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        log.close()
    assert log.error is not None
    assert b"".join(read(tmp_path, ID)) == so_far
    assert so_far == b"0123\n[queuectl: 14 bytes left out here]\nijkl"


def test_logs_removed_under_a_running_job_harm_nothing(tmp_path: Path) -> None:
    log = LogWriter(tmp_path, ID, 1, 1, 4)
    log.write(b"abcdef")
    shutil.rmtree(tmp_path / "logs")
    log.write(b"ghijklmnopq")
    log.close()
    assert log.error is None
    assert files(tmp_path) == []
    assert write(tmp_path, b"next", fence=2).error is None


def test_a_missing_home_is_an_error_to_remember(tmp_path: Path) -> None:
    log = write(tmp_path / "gone", b"abc")
    assert log.error is not None
    assert "No such file" in log.error


def test_output_after_close_is_dropped_and_close_may_come_twice(tmp_path: Path) -> None:
    log = write(tmp_path, b"abc")
    log.write(b"late")
    log.close()
    assert (log.bytes_seen, log.error) == (7, None)
    assert (tmp_path / f"logs/ab12/{ID}.1.1.log").read_bytes() == b"abc"


def test_an_error_of_close_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogWriter(tmp_path, ID, 1, 1)
    log.write(b"abc")
    real = os.close

    def failing(fd: int) -> None:
        real(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", failing)
        log.close()
    assert log.error is not None
    assert "Input/output error" in log.error
