"""Where logs are, and how much of a run's output is kept.

Each run of a job (one fence) has one file, ``<home>/logs/<id's first four digits>/<id>.<attempt>.<fence>.log``.
So even with a million logs, a directory has few files and is quick to read. Earlier versions used two digits; such
logs are still found and removed. Paths use only checked ids, directories are 0700 and files 0600, and no symbolic
link below the home folder is followed.

Up to ``limit`` bytes, a run's output is kept whole. Of a longer one we keep the first ``limit // 2`` bytes, a line
with the number of missing bytes, and the last ``limit - limit // 2``. While such a run continues, its log file
holds only the head. Later output goes into segments next to it,
``<id>.<attempt>.<fence>.<limit>.<start>.tail``, of which the newest two stay. ``start`` is the position of the
segment's first byte in the run's output, so names and sizes say everything, even after the worker was killed.
A segment only grows. At the end the tail is appended to the log file; then the segments are deleted, the newest
last.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import NamedTuple

from queuectl.errors import InvalidInput
from queuectl.model.job_id import LONGEST, SHORTEST, is_id

DEFAULT_LIMIT_BYTES = 16 * 1024 * 1024

_NAME = re.compile(r"([0-9a-f]+)\.([1-9][0-9]*)\.([1-9][0-9]*)\.(?:log|([1-9][0-9]*)\.([0-9]+)\.tail)")
_GAP = re.compile(rb"\n\[queuectl: ([0-9,]{1,30}) bytes left out here\]\n")

_CREATE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a planted FIFO would block the open


class Run(NamedTuple):
    """One run of a job. A job's runs sort oldest first: the fence rises, the attempt may repeat."""

    job_id: str
    fence: int
    attempt: int

    @property
    def name(self) -> str:
        return f"{self.job_id}.{self.attempt}.{self.fence}.log"


class Segment(NamedTuple):
    """A part of a long run's output, starting at its byte ``start``."""

    run: Run
    limit: int
    start: int

    @property
    def name(self) -> str:
        return f"{self.run.job_id}.{self.run.attempt}.{self.run.fence}.{self.limit}.{self.start}.tail"


class Kept(NamedTuple):
    """The part of the tail that the segments hold: (which segment, offset in it, size) each, and the gap before."""

    left_out: int
    parts: list[tuple[int, int, int]]

    @property
    def size(self) -> int:
        return sum(size for _, _, size in self.parts)


Files = tuple[list[Run], list[Segment]]
"""A job's log files and segments, oldest first."""


class Shard(NamedTuple):
    """An open directory of logs, with its name in the folder ``logs``."""

    name: str
    fd: int


def check_id(job_id: str) -> str:
    """Return the id unchanged; raise InvalidInput unless `is_id`. We build paths only from such ids."""
    if not is_id(job_id):
        raise InvalidInput(
            f"No job id looks like {job_id!r}.", f"Ids are {SHORTEST} to {LONGEST} of the digits 0-9 and a-f."
        )
    return job_id


def shard_of(job_id: str) -> str:
    """Return the name of the directory where a job's logs are written."""
    return job_id[:4]


def shards_of(job_id: str) -> tuple[str, str]:
    """Return the names of the directories where a job's logs may be: the current scheme's and the earlier one's."""
    return shard_of(job_id), job_id[:2]


def parse(name: str) -> Run | Segment | None:
    """Return what a file is, by its name; None for a foreign file."""
    match = _NAME.fullmatch(name)
    if match is None or not is_id(match[1]):
        return None
    job_id, attempt, fence, limit, start = match.groups()
    run = Run(job_id, int(fence), int(attempt))
    return run if limit is None else Segment(run, int(limit), int(start))


def halves(limit: int) -> tuple[int, int]:
    """Return the bytes kept of the beginning and the bytes kept of the end."""
    return limit // 2, limit - limit // 2


def gap_line(left_out: int) -> bytes:
    """Return the line that replaces ``left_out`` bytes; nothing for 0."""
    return b"\n[queuectl: %s bytes left out here]\n" % f"{left_out:,}".encode() if left_out else b""


def read_gap_line(text: bytes) -> tuple[int, bytes]:
    """Return (the number of bytes it replaces, the line) if ``text`` starts with a gap line, else (0, b"")."""
    match = _GAP.match(text)
    return (int(match[1].replace(b",", b"")), match[0]) if match else (0, b"")


def tail_of(limit: int, segments: list[tuple[int, int]]) -> Kept:
    """Return the tail of a run's output that these segments, (start, size) each and oldest first, hold."""
    head, tail = halves(limit)
    newest = len(segments) - 1
    start, size = segments[newest]
    parts = [(newest, max(0, size - tail), min(tail, size))]
    if size < tail and newest and sum(segments[newest - 1]) == start:
        older = segments[newest - 1][1]
        more = min(tail - size, older)
        parts.insert(0, (newest - 1, older - more, more))
    return Kept(start + size - head - sum(part[2] for part in parts), parts)


def open_logs(home: str | os.PathLike[str], create: bool = False) -> int:
    """Open ``<home>/logs``; return its descriptor. Raises OSError if it is missing, a link, or no directory."""
    return _open_directory(f"{os.fspath(home)}/logs", None, create)


def open_shard(home: str | os.PathLike[str], shard: str, create: bool = False) -> int:
    """Open the directory ``shard`` of the logs; return its descriptor. Raises OSError as above."""
    logs = open_logs(home, create)
    try:
        return open_shard_in(logs, shard, create)
    finally:
        os.close(logs)


def open_shard_in(logs: int, shard: str, create: bool = False) -> int:
    """Do the same with ``logs`` already open."""
    return _open_directory(shard, logs, create)


def _open_directory(name: str, parent: int | None, create: bool) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):  # another worker was first
        os.mkdir(name, 0o700, dir_fd=parent)
    return os.open(name, _DIRECTORY, dir_fd=parent)


def create_file(name: str, shard: int, access: int) -> int:
    """Create a file; return its descriptor. ``access``: O_WRONLY or O_RDWR. Raises OSError if the name is taken."""
    return os.open(name, _CREATE | access, 0o600, dir_fd=shard)


def open_file(name: str, shard: int) -> int:
    """Open a log to read; return its descriptor. Raises OSError unless it is a regular file. Never blocks."""
    fd = os.open(name, _READ, dir_fd=shard)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(f"{name} is not a regular file")


def files_of(shard: int, job_id: str) -> Files:
    """Return a job's (log files, segments) in this directory, oldest first; skips links and other non-files."""
    prefix = f"{job_id}."
    runs: list[Run] = []
    segments: list[Segment] = []
    with os.scandir(shard) as entries:
        for entry in entries:
            if not entry.name.startswith(prefix) or not entry.is_file(follow_symlinks=False):
                continue
            found = parse(entry.name)
            if isinstance(found, Run):
                runs.append(found)
            elif found is not None:
                segments.append(found)
    return sorted(runs), sorted(segments)
