"""The law of the logs, for any output, any limit and any moment."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from queuectl.logs import follower, reader, writer
from queuectl.logs.follower import LogFollower
from queuectl.logs.reader import attempts, read
from queuectl.logs.writer import LogWriter

ID = "ab12cd34"
GAP = re.compile(rb"\n\[queuectl: ([0-9,]+) bytes left out here\]\n")

outputs = st.lists(st.binary(max_size=40) | st.text("ab\n", max_size=40).map(str.encode), max_size=12)
limits = st.integers(1, 60)
segment_sizes = st.integers(1, 50)
unmarked = st.text("abc\n", max_size=30).map(str.encode)  # holds nothing that looks like a gap line


def law(output: bytes, limit: int) -> bytes:
    """What is kept of an output: all, or the first half of the limit, a line for the gap, the last half."""
    if len(output) <= limit:
        return output
    head = limit // 2
    gap = f"\n[queuectl: {len(output) - limit:,} bytes left out here]\n".encode()
    return output[:head] + gap + output[len(output) - (limit - head) :]


@contextlib.contextmanager
def logging(limit: int, segment_bytes: int, chunk_bytes: int = 64) -> Iterator[tuple[Path, LogWriter]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(writer, "SEGMENT_BYTES_MIN", segment_bytes),
        mock.patch.object(writer, "_COPY_BYTES", 7),
        mock.patch.object(reader, "_CHUNK_BYTES", chunk_bytes),
        mock.patch.object(follower, "_CHUNK_BYTES", chunk_bytes),
    ):
        log = LogWriter(folder, ID, 1, 1, limit)
        try:
            yield Path(folder), log
        finally:
            log.close()


def text(home: Path, last_lines: int | None = None) -> bytes:
    return b"".join(read(home, ID, last_lines=last_lines))


@given(outputs, limits, segment_sizes)
def test_the_law_holds_after_close(pieces: list[bytes], limit: int, segment: int) -> None:
    output = b"".join(pieces)
    with logging(limit, segment) as (home, log):
        for piece in pieces:
            log.write(piece)
        log.close()
        assert log.error is None
        assert log.bytes_seen == len(output)
        found = [path for path in home.rglob("*") if path.is_file()]
        assert [path.read_bytes() for path in found] == ([law(output, limit)] if output else [])
        assert [log.size for log in attempts(home, ID)] == [len(law(output, limit))] * bool(output)


@given(outputs, limits, segment_sizes)
def test_the_law_holds_at_every_moment_of_the_run(pieces: list[bytes], limit: int, segment: int) -> None:
    with logging(limit, segment) as (home, log):
        for count, piece in enumerate(pieces, 1):
            log.write(piece)
            assert text(home) == law(b"".join(pieces[:count]), limit)
            assert len(list(home.rglob(f"{ID}.*"))) <= 3


@given(outputs, limits, segment_sizes, st.integers(0, 150))
def test_the_law_holds_wherever_a_kill_stops_the_joining(
    pieces: list[bytes], limit: int, segment: int, allowed: int
) -> None:
    """``allowed`` is how many bytes get written and then how many files removed before the end."""
    real_write, real_unlink, left = os.write, os.unlink, allowed

    def write(fd: int, data: bytes) -> int:
        nonlocal left
        if not left:
            raise OSError("killed")
        written = real_write(fd, data[:left])
        left -= written
        return written

    def unlink(name: str, *, dir_fd: int | None = None) -> None:
        nonlocal left
        if not left:
            raise OSError("killed")
        left -= 1
        real_unlink(name, dir_fd=dir_fd)

    with logging(limit, segment) as (home, log):
        for piece in pieces:
            log.write(piece)
        with mock.patch.object(os, "write", write), mock.patch.object(os, "unlink", unlink):
            log.close()
        assert text(home) == law(b"".join(pieces), limit)


@given(outputs, limits, segment_sizes, st.integers(1, 9), st.booleans(), st.integers(0, 12))
def test_the_tail_is_the_end_of_the_whole(
    pieces: list[bytes], limit: int, segment: int, chunk: int, closed: bool, count: int
) -> None:
    with logging(limit, segment, chunk) as (home, log):
        for piece in pieces:
            log.write(piece)
        if closed:
            log.close()
        whole = text(home)
        lines = whole.split(b"\n")
        lines = [line + b"\n" for line in lines[:-1]] + [lines[-1]] * bool(lines[-1])
        assert text(home, last_lines=count) == b"".join(lines[len(lines) - count if count < len(lines) else 0 :])


@given(st.lists(unmarked | st.none(), max_size=15), limits, segment_sizes, st.integers(1, 40), st.booleans())
def test_a_follower_sees_all_there_is_and_counts_what_it_missed(
    steps: list[bytes | None], limit: int, segment: int, chunk: int, to_the_end: bool
) -> None:
    """``None`` is a look of the follower between two writes."""
    output = b"".join(filter(None, steps))
    with logging(limit, segment, chunk) as (home, log):
        following, seen = LogFollower(home, ID), b""
        for step in steps:
            if step is None:
                seen += following.read_new()
            else:
                log.write(step)
        if to_the_end:
            log.close()
        while data := following.read_new():
            seen += data
    if len(output) <= limit:
        assert seen == output
    position = 0
    for index, part in enumerate(GAP.split(seen)):
        if index % 2:
            position += int(part.replace(b",", b""))
        else:
            assert part == output[position : position + len(part)]
            position += len(part)
    assert position == len(output)
