"""Reading and following logs, finished, growing, abandoned or planted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from queuectl.errors import BadConfiguration, InvalidInput
from queuectl.logs import follower, layout, listing, reader, view, writer
from queuectl.logs.follower import LogFollower
from queuectl.logs.reader import LogFile, attempts, read
from queuectl.logs.writer import LogWriter

ID = "ab12cd34"
OTHER = "ab12cd3456"  # in the same directory, and ID is a prefix of it


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES_MIN", 1)


def write(home: Path, output: bytes, attempt: int = 1, fence: int = 1, job_id: str = ID) -> None:
    log = LogWriter(home, job_id, attempt, fence, 1000)
    log.write(output)
    log.close()


def text(home: Path, *args: Any, **options: Any) -> bytes:
    return b"".join(read(home, ID, *args, **options))


def test_runs_are_listed_oldest_first(tmp_path: Path) -> None:
    write(tmp_path, b"a retry of a dead job", attempt=1, fence=10)
    write(tmp_path, b"second", attempt=2, fence=9)
    write(tmp_path, b"first", attempt=1, fence=2)
    write(tmp_path, b"of another job", job_id=OTHER)
    folder = tmp_path / "logs" / "ab12"
    assert attempts(tmp_path, ID) == [
        LogFile(folder / f"{ID}.1.2.log", 1, 2, 5),
        LogFile(folder / f"{ID}.2.9.log", 2, 9, 6),
        LogFile(folder / f"{ID}.1.10.log", 1, 10, 21),
    ]


def test_the_newest_run_is_read_or_the_newest_of_an_attempt(tmp_path: Path) -> None:
    write(tmp_path, b"first", attempt=1, fence=2)
    write(tmp_path, b"second", attempt=2, fence=9)
    write(tmp_path, b"again the first", attempt=1, fence=10)
    assert text(tmp_path) == b"again the first"
    assert text(tmp_path, 1) == b"again the first"
    assert text(tmp_path, 2) == b"second"
    assert text(tmp_path, 3) == b""


def test_a_job_without_logs_reads_as_nothing(tmp_path: Path) -> None:
    assert attempts(tmp_path / "gone", ID) == []
    assert text(tmp_path) == b""
    write(tmp_path, b"x", job_id=OTHER)
    assert attempts(tmp_path, ID) == []
    assert text(tmp_path) == b""


@pytest.mark.parametrize("bad", ["", "abc", "../../x", "ab*d", "ABCD", "abcd\n"])
def test_ids_are_checked_at_once(tmp_path: Path, bad: str) -> None:
    for use in (attempts, read, LogFollower):
        with pytest.raises(InvalidInput):
            use(tmp_path, bad)


@pytest.mark.parametrize(
    ("output", "lines", "last"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\nb\n\n", 2, b"b\n\n"),
        (b"a\nb", 9, b"a\nb"),
        (b"\n", 1, b"\n"),
        (b"\na", 1, b"a"),
        (b"a\nb\n", 0, b""),
    ],
)
def test_the_last_lines(tmp_path: Path, output: bytes, lines: int, last: bytes) -> None:
    write(tmp_path, output)
    assert text(tmp_path, last_lines=lines) == last


def test_the_last_lines_of_a_large_log_are_found_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = b"".join(b"%09d\n" % line for line in range(300_000))
    log = LogWriter(tmp_path, ID, 1, 1)
    log.write(output)
    log.close()
    got, pread = [], os.pread
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", lambda *args: got.append(args[1]) or pread(*args))
        assert text(tmp_path, last_lines=10) == output[-100:]
    assert sum(got) < 200_000
    assert text(tmp_path, last_lines=20_000) == output[-200_000:]
    assert max(len(chunk) for chunk in read(tmp_path, ID)) == 64 * 1024


def test_the_tail_of_a_growing_log_spans_the_gap(tmp_path: Path) -> None:
    log = LogWriter(tmp_path, ID, 1, 1, 8)
    log.write(b"ab\ncdefghijk\nmn")
    whole = b"ab\nc\n[queuectl: 7 bytes left out here]\nk\nmn"
    assert text(tmp_path) == whole
    assert [file.size for file in attempts(tmp_path, ID)] == [len(whole)]
    assert text(tmp_path, last_lines=3) == b"[queuectl: 7 bytes left out here]\nk\nmn"
    log.close()
    assert text(tmp_path) == whole


def test_segments_replaced_while_they_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the listing and the opening the writer moves on, and on the second try it closes."""
    log = LogWriter(tmp_path, ID, 1, 1, 8)
    log.write(b"0123456789abcdef")
    between: list[Callable[[], None]] = [log.close, lambda: log.write(b"ghijklmnopq")]
    list_files = layout.files_of

    def listing(shard: int, job_id: str) -> object:
        found = list_files(shard, job_id)
        if between and len(found[1]) == 2:
            between.pop()()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(layout, "files_of", listing)
        directory = layout.open_shard(tmp_path, "ab12")
        with view.open_view(directory, layout.Run(ID, 1, 1)) as seen:
            assert seen.read(0, 99) == b"0123\n[queuectl: 19 bytes left out here]\nnopq"
        os.close(directory)
    assert not between


def test_a_log_that_overflows_right_after_the_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogWriter(tmp_path, ID, 1, 1, 8)
    log.write(b"01")
    after_listings = [log.close, lambda: None, lambda: log.write(b"23456789ab"), lambda: None]
    list_files = layout.files_of

    def listing(shard: int, job_id: str) -> object:
        found = list_files(shard, job_id)
        if after_listings:
            after_listings.pop()()
        return found

    monkeypatch.setattr(layout, "files_of", listing)
    whole = b"0123\n[queuectl: 4 bytes left out here]\n89ab"
    assert text(tmp_path) == whole  # the listings: of runs, without segments, with, and again
    assert text(tmp_path) == whole
    assert not after_listings


def test_segments_that_are_never_there_when_opened_cost_only_the_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogWriter(tmp_path, ID, 1, 1, 8)
    log.write(b"0123456789abcdef")
    ghost = layout.Segment(layout.Run(ID, 1, 1), 8, 999)
    monkeypatch.setattr(layout, "files_of", lambda *_: ([ghost.run], [ghost]))
    assert text(tmp_path) == b"0123"
    log.close()


def test_a_killed_worker_leaves_a_readable_log(tmp_path: Path) -> None:
    worker = (
        "import os, sys; from queuectl.logs import writer; writer.SEGMENT_BYTES_MIN = 1;"
        "writer.LogWriter(sys.argv[1], sys.argv[2], 1, 1, 8).write(b'0123456789abcdefghij');"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", worker, tmp_path, ID], check=False).returncode == -9
    assert text(tmp_path) == b"0123\n[queuectl: 12 bytes left out here]\nghij"
    assert LogFollower(tmp_path, ID).read_new() == b"0123"


@pytest.mark.parametrize("kind", ["symlink", "fifo"])
@pytest.mark.parametrize("level", ["logs", "logs/ab12", f"logs/ab12/{ID}.1.1.log", f"logs/ab12/{ID}.1.1.2.1.tail"])
def test_nothing_is_read_through_what_is_planted(tmp_path: Path, level: str, kind: str) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    home.mkdir()
    write(home, b"own output")
    planted = home / level
    if planted.is_dir() and kind == "symlink":
        planted.rename(outside)
        next(outside.rglob("*.log")).write_bytes(b"secret")
        planted.symlink_to(outside)
    else:
        outside.write_bytes(b"secret")
        if planted.exists():
            planted.rename(tmp_path / "aside")
        planted.symlink_to(outside) if kind == "symlink" else os.mkfifo(planted)
    uses = (
        lambda: text(home),
        lambda: LogFollower(home, ID).read_new(),
        lambda: b"x" * sum(file.size for file in attempts(home, ID)),
    )
    if level.endswith(".tail"):  # the log itself is sound
        assert [use() for use in uses] == [b"own output", b"own output", b"x" * 10]
    elif level.endswith(".log"):
        assert [use() for use in uses] == [b"", b"", b""]
    else:
        for use in uses:
            with pytest.raises(BadConfiguration, match=str(home)) as refused:
                use()
            assert "links are not followed" in refused.value.hint


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_a_file_swapped_after_the_listing_is_refused(tmp_path: Path, kind: str) -> None:
    write(tmp_path, b"own")
    path = tmp_path / f"logs/ab12/{ID}.1.1.log"
    path.rename(tmp_path / "outside")
    if kind == "symlink":
        path.symlink_to(tmp_path / "outside")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    directory = layout.open_shard(tmp_path, "ab12")
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError, match=r"not a regular|symbolic"):
        layout.open_file(path.name, directory)
    assert len(os.listdir("/dev/fd")) == before
    os.close(directory)


def test_a_reader_that_stops_early_leaves_nothing_open(tmp_path: Path) -> None:
    write(tmp_path, b"abc")
    before = len(os.listdir("/dev/fd"))
    chunks = read(tmp_path, ID)
    next(chunks)
    assert len(os.listdir("/dev/fd")) > before
    chunks.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/dev/fd")) == before


def test_following_from_before_the_first_byte(tmp_path: Path) -> None:
    following = LogFollower(tmp_path, ID)
    assert (following.read_new(), following.attempt, following.fence) == (b"", 0, 0)
    log = LogWriter(tmp_path, ID, 1, 4)
    for word in (b"one", b"two\n"):
        log.write(word)
        assert following.read_new() == word
        assert following.read_new() == b""
    log.close()
    assert (following.read_new(), following.attempt, following.fence) == (b"", 1, 4)


def test_a_follower_that_keeps_up_sees_every_byte(tmp_path: Path) -> None:
    following, log = LogFollower(tmp_path, ID), LogWriter(tmp_path, ID, 1, 1, 20)
    seen = b""
    for number in range(100):
        log.write(b"%05d" % number)
        seen += following.read_new()
    log.close()
    assert seen + following.read_new() == b"".join(b"%05d" % number for number in range(100))


def test_a_follower_that_falls_behind_is_told_how_much_it_missed(tmp_path: Path) -> None:
    following, log = LogFollower(tmp_path, ID), LogWriter(tmp_path, ID, 1, 1, 8)
    log.write(b"0123456789")
    seen = [following.read_new() for _ in range(4)]  # a piece ends with its file
    assert seen == [b"0123", b"\n[queuectl: 2 bytes left out here]\n", b"67", b"89"]
    log.write(b"abcdefghijkl")
    log.close()
    assert [following.read_new() for _ in range(3)] == [
        b"\n[queuectl: 8 bytes left out here]\n",
        b"ijkl",
        b"",
    ]


def test_a_later_run_is_followed_when_the_one_before_is_read(tmp_path: Path) -> None:
    write(tmp_path, b"old", attempt=1, fence=1)
    log = LogWriter(tmp_path, ID, 2, 2)
    log.write(b"second")
    following = LogFollower(tmp_path, ID)
    assert (following.read_new(), following.attempt) == (b"second", 2)
    log.write(b" ends")
    log.close()
    write(tmp_path, b"third", attempt=3, fence=3)
    write(tmp_path, b"fourth", attempt=3, fence=4)
    assert (following.read_new(), following.attempt, following.fence) == (b" ends", 2, 2)
    assert (following.read_new(), following.attempt, following.fence) == (b"third", 3, 3)
    assert (following.read_new(), following.attempt, following.fence) == (b"fourth", 3, 4)
    assert following.read_new() == b""


def test_following_one_attempt_ignores_the_others(tmp_path: Path) -> None:
    following = LogFollower(tmp_path, ID, attempt=1)
    write(tmp_path, b"first", attempt=1, fence=1)
    write(tmp_path, b"second", attempt=2, fence=2)
    assert [following.read_new(), following.read_new(), following.attempt] == [b"first", b"", 1]


def test_words_written_just_before_a_later_run_begins_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogWriter(tmp_path, ID, 1, 1)
    log.write(b"first")
    following = LogFollower(tmp_path, ID)
    following.read_new()
    write(tmp_path, b"second", attempt=2, fence=2)
    look = following._look
    seen = []

    def late() -> bytes:
        data = look()
        if not seen:
            log.write(b" and last")  # right after the look that finds the later run
        seen.append(data)
        return data

    monkeypatch.setattr(following, "_look", late)
    assert [following.read_new(), following.read_new()] == [b" and last", b"second"]


def test_a_log_removed_under_a_follower_is_the_end_of_it(tmp_path: Path) -> None:
    write(tmp_path, b"abc")
    following = LogFollower(tmp_path, ID)
    following.read_new()
    (tmp_path / f"logs/ab12/{ID}.1.1.log").unlink()
    assert following.read_new() == b""
    write(tmp_path, b"next", fence=2)
    assert following.read_new() == b"next"


def test_a_large_backlog_comes_in_bounded_pieces(tmp_path: Path) -> None:
    log = LogWriter(tmp_path, ID, 1, 1)
    log.write(bytes(3_000_000))
    following = LogFollower(tmp_path, ID)
    sizes = []
    while data := following.read_new():
        sizes.append(len(data))
    log.close()
    assert sum(sizes) == 3_000_000
    assert max(sizes) == follower._CHUNK_BYTES == 1024 * 1024
    assert reader._CHUNK_BYTES == 64 * 1024


def former(home: Path, attempt: int, fence: int, output: bytes) -> Path:
    """A log where former versions wrote it."""
    write(home, output, attempt, fence)
    path = home / "logs" / "ab12" / f"{ID}.{attempt}.{fence}.log"
    old = home / "logs" / "ab" / path.name
    old.parent.mkdir(exist_ok=True)
    path.rename(old)
    return old


def test_logs_of_the_former_layout_are_read_and_followed(tmp_path: Path) -> None:
    path = former(tmp_path, 1, 1, b"first")
    assert text(tmp_path) == b"first"
    following = LogFollower(tmp_path, ID)
    assert following.read_new() == b"first"
    write(tmp_path, b"second", attempt=2, fence=2)
    assert following.read_new() == b"second"
    assert [log.path for log in attempts(tmp_path, ID)] == [path, tmp_path / "logs" / "ab12" / f"{ID}.2.2.log"]
    assert text(tmp_path, 1) == b"first"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each reading of a directory."""
    scandir, found = os.scandir, []

    def counting(path: Any) -> Any:
        found.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counting)
    return found


def test_a_follower_reads_a_directory_only_when_it_has_changed(
    tmp_path: Path, reads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(listing.time, "monotonic", lambda: clock[0])
    log = LogWriter(tmp_path, ID, 1, 1)
    log.write(b"begun")
    following = LogFollower(tmp_path, ID)
    assert following.read_new() == b"begun"
    clock[0] = 10.0  # the last change is older than any file system's clock is coarse
    following.read_new()
    reads.clear()
    for number in range(100):
        clock[0] += 0.1
        log.write(b"%d" % number)
        assert following.read_new() == b"%d" % number
        assert following.read_new() == b""
    assert reads == []
    write(tmp_path, b"later", attempt=2, fence=2)
    assert following.read_new() == b"later"
    assert 1 <= len(reads) <= 10


def test_a_later_run_is_found_though_the_directory_seems_unchanged(tmp_path: Path) -> None:
    """Two changes within one tick of the file system's clock."""
    write(tmp_path, b"first")
    shard = tmp_path / "logs" / "ab12"
    before = shard.stat()
    following = LogFollower(tmp_path, ID)
    assert following.read_new() == b"first"
    assert following.read_new() == b""
    write(tmp_path, b"second", attempt=2, fence=2)
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert following.read_new() == b"second"


@pytest.mark.parametrize("lines", [0, 1, 2, 3, 99])
def test_following_from_the_last_lines(tmp_path: Path, lines: int) -> None:
    log = LogWriter(tmp_path, ID, 1, 1)
    log.write(b"one\ntwo\nthree\n")
    following = LogFollower(tmp_path, ID, last_lines=lines)
    expected = text(tmp_path, last_lines=lines)
    assert following.read_new() == expected
    log.write(b"four\n")
    assert following.read_new() == b"four\n"
    log.close()
    write(tmp_path, b"1\n2\n3\n4\n", attempt=2, fence=2)
    assert following.read_new() == b"1\n2\n3\n4\n", "a later run is shown whole"


@pytest.mark.parametrize(
    ("lines", "shown"), [(1, b"mn"), (2, b"k\nmn"), (3, b"\n[queuectl: 7 bytes left out here]\nk\nmn")]
)
def test_following_from_the_last_lines_across_the_gap(tmp_path: Path, lines: int, shown: bytes) -> None:
    log = LogWriter(tmp_path, ID, 1, 1, 8)
    log.write(b"ab\ncdefghijk\nmn")
    following = LogFollower(tmp_path, ID, last_lines=lines)
    seen = b""
    while data := following.read_new():
        seen += data
    assert seen == shown
    log.close()
    assert following.read_new() == b""
