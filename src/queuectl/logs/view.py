"""A consistent snapshot of one run's log, during the run or after."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import NamedTuple

from queuectl.logs import layout

_TRIES = 20  # segments can be replaced between listing and opening, but hardly this often
_GAP_BYTES_MAX = 100
_BLOCK_BYTES = 64 * 1024  # read at once to find the start of a line

Lister = Callable[[int, str], layout.Files]


class _Piece(NamedTuple):
    size: int
    fd: int
    offset: int
    text: bytes = b""  # in place of a file's bytes


class View:
    """``size`` bytes that stay the same until ``close``: head, gap line and tail, or all of a short log.

    ``head`` is the number of bytes before the gap, ``left_out`` the number of bytes that it replaces (0: there is
    no gap, and ``head`` is everything). ``limit`` is the run's limit if the log shows it, else 0.
    """

    def __init__(self, files: contextlib.ExitStack, pieces: list[_Piece], left_out: int, limit: int) -> None:
        self._files = files
        self._pieces = pieces
        self.left_out = left_out
        self.limit = limit
        self.size = sum(piece.size for piece in pieces)
        self.head = pieces[0].size if left_out else self.size

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._files.close()

    def start_of_last(self, lines: int) -> int:
        """Return the offset where the last ``lines`` lines start; a newline at the very end begins no line."""
        if lines <= 0:
            return self.size
        end = self.size - 1
        while end > 0:
            start = max(0, end - _BLOCK_BYTES)
            block = self._exactly(start, end)
            at = len(block)
            while (at := block.rfind(b"\n", 0, at)) >= 0:
                lines -= 1
                if not lines:
                    return start + at + 1
            end = start
        return 0

    def _exactly(self, start: int, end: int) -> bytes:
        parts = []
        while start < end and (part := self.read(start, end - start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def read(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``, perhaps fewer; b"" only at the end."""
        for piece in self._pieces:
            if offset < piece.size:
                count = min(count, piece.size - offset)
                if piece.text:
                    return piece.text[offset : offset + count]
                return os.pread(piece.fd, count, piece.offset + offset)
            offset -= piece.size
        return b""


def open_view(shard: int, run: layout.Run, limit: int = 0, files_of: Lister | None = None) -> View:
    """Open the log of a run in the directory ``shard``. Pass ``limit`` if an earlier view has shown it.

    ``files_of`` lists the directory instead of `layout.files_of`.

    Raises OSError if the file is gone, or isn't one that may be read.
    """
    with contextlib.ExitStack() as files:
        main = _open(files, run.name, shard)
        for _ in range(_TRIES):
            # Take the size after listing the segments and before taking theirs. If the tail is being appended by
            # then, their sizes are final. If it has been appended, the segments are gone or the size shows it.
            segments = _segments(shard, run, files_of)
            size = os.fstat(main).st_size
            if not segments and _segments(shard, run, files_of):
                continue
            with contextlib.suppress(FileNotFoundError):
                fds = [_open(files, segment.name, shard) for segment in segments]
                break
        else:
            segments, fds = [], []
        limit = segments[-1].limit if segments else limit
        starts = [segment.start for segment in segments]
        pieces, left_out = _assemble(main, size, limit, starts, fds)
        return View(files.pop_all(), pieces, left_out, limit)


def _segments(shard: int, run: layout.Run, files_of: Lister | None) -> list[layout.Segment]:
    segments = (files_of or layout.files_of)(shard, run.job_id)[1]
    return [segment for segment in segments if segment.run == run][-2:]


def _open(files: contextlib.ExitStack, name: str, shard: int) -> int:
    fd = layout.open_file(name, shard)
    files.callback(os.close, fd)
    return fd


def _assemble(main: int, size: int, limit: int, starts: list[int], fds: list[int]) -> tuple[list[_Piece], int]:
    """Return the view's pieces and the bytes left out, from ``size`` bytes of the log file and its segments."""
    head = layout.halves(limit)[0]
    if fds:
        sizes = [os.fstat(fd).st_size for fd in fds]
        kept = layout.tail_of(limit, list(zip(starts, sizes, strict=True)))
        gap = layout.gap_line(kept.left_out)
        if size < head + len(gap) + kept.size:
            parts = [_Piece(length, fds[which], offset) for which, offset, length in kept.parts]
            return _around(_Piece(min(head, size), main, 0), gap, parts), kept.left_out
    if limit and size > limit:
        left_out, gap = layout.read_gap_line(os.pread(main, _GAP_BYTES_MAX, head))
        if left_out:
            tail = _Piece(max(0, size - head - len(gap)), main, head + len(gap))
            return _around(_Piece(head, main, 0), gap, [tail]), left_out
    return [_Piece(size, main, 0)], 0


def _around(head: _Piece, gap: bytes, tail: list[_Piece]) -> list[_Piece]:
    return [head, _Piece(len(gap), -1, 0, gap), *tail]
