"""Reads the logs of a job: which runs there are, and what one of them printed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from queuectl.errors import BadConfiguration
from queuectl.logs import layout
from queuectl.logs.view import View, open_view

_CHUNK_BYTES = 64 * 1024


class LogFile(NamedTuple):
    """One run's log. ``size`` is what ``read`` would give of it now, in bytes."""

    path: Path
    attempt: int
    fence: int
    size: int


def attempts(home: str | os.PathLike[str], job_id: str) -> list[LogFile]:
    """The logs of a job, oldest run first; a run that printed nothing has none.

    InvalidInput if the id isn't one, BadConfiguration if the logs can't be read.
    """
    layout.check_id(job_id)
    folder = Path(home) / "logs" / job_id[:2]
    files: list[LogFile] = []
    with reading(home, job_id) as shard:
        if shard is None:
            return files
        for run in runs_of(shard, job_id):
            with contextlib.suppress(FileNotFoundError), open_view(shard, run) as view:
                files.append(LogFile(folder / run.name, run.attempt, run.fence, view.size))
    return files


def read(
    home: str | os.PathLike[str],
    job_id: str,
    attempt: int | None = None,
    *,
    fence: int | None = None,
    last_lines: int | None = None,
    last_bytes: int | None = None,
) -> Iterator[bytes]:
    """What the newest run (of this attempt, or the one with this fence) printed, in chunks of at most 64 KiB.

    ``last_lines`` or ``last_bytes`` (not both) gives only that much of the end, without reading the rest.
    Nothing comes if there is no such log. A log that still grows is read as it is at the first chunk.
    Errors are those of ``attempts``.
    """
    layout.check_id(job_id)
    return _read(home, job_id, attempt, fence, last_lines, last_bytes)


def _read(
    home: str | os.PathLike[str],
    job_id: str,
    attempt: int | None,
    fence: int | None,
    lines: int | None,
    size: int | None,
) -> Iterator[bytes]:
    with reading(home, job_id) as shard:
        runs = [] if shard is None else runs_of(shard, job_id, attempt)
        if fence is not None:
            runs = [run for run in runs if run.fence == fence]
        if shard is None or not runs:
            return
        with open_view(shard, runs[-1]) as view:
            offset = 0 if size is None else max(0, view.size - size)
            if lines is not None:
                offset = _start_of_last(lines, view)
            while chunk := view.read(offset, _CHUNK_BYTES):
                yield chunk
                offset += len(chunk)


def _start_of_last(lines: int, view: View) -> int:
    """The offset at which the last ``lines`` lines start; a newline at the very end begins no line."""
    if lines <= 0:
        return view.size
    end = view.size - 1
    while end > 0:
        start = max(0, end - _CHUNK_BYTES)
        block = _exactly(view, start, end)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            lines -= 1
            if not lines:
                return start + at + 1
        end = start
    return 0


def _exactly(view: View, start: int, end: int) -> bytes:
    parts = []
    while start < end and (part := view.read(start, end - start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


@contextlib.contextmanager
def reading(home: str | os.PathLike[str], job_id: str) -> Iterator[int | None]:
    """The directory with this job's logs, for the block: a descriptor, or None if there is none.

    A file that is gone ends the block in silence, any other OSError becomes BadConfiguration.
    """
    shard: int | None = None
    try:
        with contextlib.suppress(FileNotFoundError):
            shard = layout.open_shard(home, job_id[:2])
        yield shard
    except FileNotFoundError:
        pass
    except OSError as error:
        folder = Path(home) / "logs" / job_id[:2]
        raise BadConfiguration(
            f"The logs of {job_id} in {folder} can't be read: {error.strerror or error}.",
            f"ls -ld {folder.parent} {folder}  shows what is in the way; links are not followed there",
        ) from error
    finally:
        if shard is not None:
            os.close(shard)


def runs_of(shard: int, job_id: str, attempt: int | None = None) -> list[layout.Run]:
    """The runs (of one attempt, if given) that have a log, oldest first."""
    return [run for run in layout.files_of(shard, job_id)[0] if attempt in (None, run.attempt)]
