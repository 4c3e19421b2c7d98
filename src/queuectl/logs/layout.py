"""Where logs are, and how much of a run's output is kept.

One run of a job (one fence) has one file, ``<home>/logs/<id's first four digits>/<id>.<attempt>.<fence>.log``.
So a directory has few files even among a million logs, and is read at little cost. It had two digits before: such
logs are still found and removed. No path is built from an unchecked id, directories are 0700
and files 0600, and no symbolic link is followed below the home folder.

A run's output is kept whole up to ``limit`` bytes. Of a longer one, the first ``limit // 2`` bytes stay, a
line that says how many bytes are missing, and the last ``limit - limit // 2``. While such a run goes on, its
log file holds the head alone, and what follows goes into segments beside it,
``<id>.<attempt>.<fence>.<limit>.<start>.tail``, of which the newest two stay. ``start`` is the place of the
segment's first byte in the run's output, so that names and sizes tell all there is to know, even when the
worker was killed. A segment only ever grows. At the end the tail is appended to the log file, and then the
segments go, the newest last.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import NamedTuple

from queuectl.errors import InvalidInput

DEFAULT_LIMIT_BYTES = 16 * 1024 * 1024

_ID = re.compile(r"[0-9a-f]{4,32}")
_NAME = re.compile(r"([0-9a-f]{4,32})\.([1-9][0-9]*)\.([1-9][0-9]*)\.(?:log|([1-9][0-9]*)\.([0-9]+)\.tail)")
_GAP = re.compile(rb"\n\[queuectl: ([0-9,]{1,30}) bytes left out here\]\n")

_CREATE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a planted FIFO would block the open


class Run(NamedTuple):
    """One run of a job. Runs of a job sort oldest first: the fence rises, the attempt may repeat."""

    job_id: str
    fence: int
    attempt: int

    @property
    def name(self) -> str:
        return f"{self.job_id}.{self.attempt}.{self.fence}.log"


class Segment(NamedTuple):
    """A piece of a long run's output, from byte ``start`` of it on."""

    run: Run
    limit: int
    start: int

    @property
    def name(self) -> str:
        return f"{self.run.job_id}.{self.run.attempt}.{self.run.fence}.{self.limit}.{self.start}.tail"


class Kept(NamedTuple):
    """What the segments hold of the tail: (which segment, offset in it, size) each, and the gap before."""

    left_out: int
    parts: list[tuple[int, int, int]]

    @property
    def size(self) -> int:
        return sum(size for _, _, size in self.parts)


Files = tuple[list[Run], list[Segment]]
"""A job's log files and segments, oldest first."""


class Shard(NamedTuple):
    """An open directory of logs, by its name in the folder ``logs``."""

    name: str
    fd: int


def is_id(text: str) -> bool:
    """Whether it is 4 to 32 lower-case hex digits, of which alone paths are made."""
    return _ID.fullmatch(text) is not None


def check_id(job_id: str) -> str:
    """The id as given; InvalidInput unless `is_id`."""
    if not is_id(job_id):
        raise InvalidInput(f"No job id looks like {job_id!r}.", "Ids are 4 to 32 of the digits 0-9 and a-f.")
    return job_id


def shard_of(job_id: str) -> str:
    """The name of the directory in which a job's logs are written."""
    return job_id[:4]


def shards_of(job_id: str) -> tuple[str, str]:
    """The names of the directories in which a job's logs may be: today's, and the one before."""
    return shard_of(job_id), job_id[:2]


def parse(name: str) -> Run | Segment | None:
    """What a file's name says it is; None for a foreign file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    job_id, attempt, fence, limit, start = match.groups()
    run = Run(job_id, int(fence), int(attempt))
    return run if limit is None else Segment(run, int(limit), int(start))


def halves(limit: int) -> tuple[int, int]:
    """(bytes kept of the beginning, bytes kept of the end)."""
    return limit // 2, limit - limit // 2


def gap_line(left_out: int) -> bytes:
    """The line that stands for ``left_out`` bytes; nothing for 0."""
    return b"\n[queuectl: %s bytes left out here]\n" % f"{left_out:,}".encode() if left_out else b""


def read_gap_line(text: bytes) -> tuple[int, bytes]:
    """(how many bytes it stands for, the line) of the gap line that ``text`` starts with, or (0, b"")."""
    match = _GAP.match(text)
    return (int(match[1].replace(b",", b"")), match[0]) if match else (0, b"")


def tail_of(limit: int, segments: list[tuple[int, int]]) -> Kept:
    """The tail that these segments, (start, size) each and oldest first, hold of a run's output."""
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
    """A descriptor of ``<home>/logs``. OSError if it isn't there, or is no directory but a link to one."""
    return _open_directory(f"{os.fspath(home)}/logs", None, create)


def open_shard(home: str | os.PathLike[str], shard: str, create: bool = False) -> int:
    """A descriptor of the directory ``shard`` of the logs; OSError as above."""
    logs = open_logs(home, create)
    try:
        return open_shard_in(logs, shard, create)
    finally:
        os.close(logs)


def open_shard_in(logs: int, shard: str, create: bool = False) -> int:
    """The same, where ``logs`` is open already."""
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
    """A descriptor of a new file; ``access`` is O_WRONLY or O_RDWR. OSError if the name is taken."""
    return os.open(name, _CREATE | access, 0o600, dir_fd=shard)


def open_file(name: str, shard: int) -> int:
    """A descriptor to read a log with; OSError if it is anything but a regular file. Never blocks."""
    fd = os.open(name, _READ, dir_fd=shard)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(f"{name} is not a regular file")


def files_of(shard: int, job_id: str) -> Files:
    """A job's (log files, segments) in this directory, oldest first; links and the like are no files."""
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
