"""Writes what one run of a job prints, within limits, and never holds up the job."""

from __future__ import annotations

import contextlib
import os

from queuectl.errors import InvalidInput
from queuectl.logs import layout

# Even with a small limit, segments get a useful size; else a job that prints much would create files all the time.
SEGMENT_BYTES_MIN = 1024 * 1024
_COPY_BYTES = 256 * 1024
_TRIES = 5


class LogWriter:
    """The log of one run. The constructor touches no disk; the first byte creates the file.

    ``attempt`` counts from 1; ``fence`` is the claim's, unique for the job. ``limit_bytes`` (1 or more, default
    16 MiB) limits what is kept, see ``layout``. During a run, up to twice that is on disk, or the limit and 2 MiB
    if that is more. Raises InvalidInput for any other value.

    It raises no other error. It keeps the first file system error in ``error``, a sentence with the path; from then
    on it counts output in ``bytes_seen`` and drops it.

    Not thread-safe.
    """

    __slots__ = ("_closed", "_end", "_fd", "_home", "_limit", "_main", "_room", "_run", "_segments",
                 "bytes_seen", "error")  # fmt: skip

    def __init__(
        self,
        home: str | os.PathLike[str],
        job_id: str,
        attempt: int,
        fence: int,
        limit_bytes: int = layout.DEFAULT_LIMIT_BYTES,
    ) -> None:
        if attempt < 1 or fence < 1 or limit_bytes < 1:
            raise InvalidInput("A log's attempt, fence and limit must be 1 or more.")
        self._home = home
        self._run = layout.Run(layout.check_id(job_id), fence, attempt)
        self._limit = limit_bytes
        self._main = -1
        self._segments: list[tuple[int, int]] = []  # (start, descriptor), at most two, oldest first
        self._fd = -1  # the file that takes the next byte
        self._room = 0  # bytes that still fit into it
        self._end = 0  # bytes stored so far, including those dropped again
        self._closed = False
        self.bytes_seen = 0
        self.error: str | None = None

    def write(self, data: bytes) -> None:
        """Store these bytes unchanged, as far as the limit and the disk allow."""
        self.bytes_seen += len(data)
        if self._closed or self.error is not None:
            return
        try:
            self._store(memoryview(data))
        except OSError as error:
            self._remember(error)

    def close(self) -> None:
        """Join the log's files into one. A second call does nothing.

        After an error the files stay as they are: joining them needs space, and readers can do without.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._segments and self.error is None:
                self._join()
        except OSError as error:
            self._remember(error)
        for fd in (self._main, *(fd for _, fd in self._segments)):
            if fd >= 0:
                self._close(fd)

    def _store(self, data: memoryview) -> None:
        while data:
            while not self._room:
                self._next_file()
            written = os.write(self._fd, data[: self._room])
            self._room -= written
            self._end += written
            data = data[written:]

    def _next_file(self) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self._create_next_file()
                return
            except FileNotFoundError:  # the sweeper has just removed the empty directory
                if not left:
                    raise

    def _create_next_file(self) -> None:
        shard = layout.open_shard(self._home, layout.shard_of(self._run.job_id), create=True)
        try:
            if self._main < 0:
                self._fd = self._main = layout.create_file(self._run.name, shard, os.O_WRONLY)
                self._room = layout.halves(self._limit)[0]
            else:
                self._next_segment(shard)
        finally:
            os.close(shard)

    def _next_segment(self, shard: int) -> None:
        if len(self._segments) == 2:
            start, fd = self._segments.pop(0)
            self._close(fd)
            self._unlink(start, shard)
        name = layout.Segment(self._run, self._limit, self._end).name
        self._fd = layout.create_file(name, shard, os.O_RDWR)
        self._segments.append((self._end, self._fd))
        self._room = max(layout.halves(self._limit)[1], SEGMENT_BYTES_MIN)

    def _join(self) -> None:
        sizes = [(start, os.fstat(fd).st_size) for start, fd in self._segments]
        kept = layout.tail_of(self._limit, sizes)
        _write_all(self._main, layout.gap_line(kept.left_out))
        for which, offset, size in kept.parts:
            _copy(self._segments[which][1], offset, size, self._main)
        shard = layout.open_shard(self._home, layout.shard_of(self._run.job_id))
        try:
            for start, _ in self._segments:
                self._unlink(start, shard)
        finally:
            os.close(shard)

    def _unlink(self, start: int, shard: int) -> None:
        with contextlib.suppress(FileNotFoundError):  # somebody removed the logs
            os.unlink(layout.Segment(self._run, self._limit, start).name, dir_fd=shard)

    def _close(self, fd: int) -> None:
        try:
            os.close(fd)
        except OSError as error:  # some file systems report a full disk only now
            self._remember(error)

    def _remember(self, error: OSError) -> None:
        if self.error is None:
            path = f"{os.fspath(self._home)}/logs/{layout.shard_of(self._run.job_id)}/{self._run.name}"
            self.error = f"can't write {path}: {error.strerror or error}"


def _copy(source: int, offset: int, size: int, target: int) -> None:
    while size and (data := os.pread(source, min(size, _COPY_BYTES), offset)):
        _write_all(target, data)
        offset += len(data)
        size -= len(data)


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
