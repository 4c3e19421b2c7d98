"""Reads a job's logs: lists its runs, and returns what one of them printed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from queuectl.errors import BadConfiguration
from queuectl.logs import layout
from queuectl.logs.view import Lister, open_view

_CHUNK_BYTES = 64 * 1024


class LogFile(NamedTuple):
    """One run's log. ``size`` is the number of bytes that ``read`` would return now."""

    path: Path
    attempt: int
    fence: int
    size: int


def attempts(home: str | os.PathLike[str], job_id: str) -> list[LogFile]:
    """Return a job's logs, oldest run first; a run that printed nothing has none.

    Raises InvalidInput for an invalid id, BadConfiguration if the logs can't be read.
    """
    layout.check_id(job_id)
    files: list[LogFile] = []
    with reading(home, job_id) as shards:
        for run, shard in runs_of(shards, job_id).items():
            with contextlib.suppress(FileNotFoundError), open_view(shard.fd, run) as view:
                path = Path(home) / "logs" / shard.name / run.name
                files.append(LogFile(path, run.attempt, run.fence, view.size))
    return files


def read(
    home: str | os.PathLike[str],
    job_id: str,
    attempt: int | None = None,
    *,
    fence: int | None = None,
    last_lines: int | None = None,
) -> Iterator[bytes]:
    """Yield what the newest run (of this attempt, or with this fence) printed, in chunks of at most 64 KiB.

    ``last_lines`` yields only so many of its last lines, without reading the rest. Yields nothing if there is no
    such log. A growing log is read as it is at the first chunk.
    Raises the errors of ``attempts``.
    """
    layout.check_id(job_id)
    return _read(home, job_id, attempt, fence, last_lines)


def _read(
    home: str | os.PathLike[str],
    job_id: str,
    attempt: int | None,
    fence: int | None,
    lines: int | None,
) -> Iterator[bytes]:
    with reading(home, job_id) as shards:
        found = runs_of(shards, job_id, attempt)
        runs = [run for run in found if fence in (None, run.fence)]
        if not runs:
            return
        with open_view(found[runs[-1]].fd, runs[-1]) as view:
            offset = 0 if lines is None else view.start_of_last(lines)
            while chunk := view.read(offset, _CHUNK_BYTES):
                yield chunk
                offset += len(chunk)


@contextlib.contextmanager
def reading(home: str | os.PathLike[str], job_id: str) -> Iterator[list[layout.Shard]]:
    """Open, for the block, those directories that exist and may have logs of this job.

    A missing file ends the block silently; any other OSError becomes BadConfiguration.
    """
    shards: list[layout.Shard] = []
    try:
        for name in layout.shards_of(job_id):
            with contextlib.suppress(FileNotFoundError):
                shards.append(layout.Shard(name, layout.open_shard(home, name)))
        yield shards
    except FileNotFoundError:
        pass
    except OSError as error:
        folder = Path(home) / "logs" / layout.shard_of(job_id)
        raise BadConfiguration(
            f"The logs of {job_id} in {folder} can't be read: {error.strerror or error}.",
            f"ls -ld {folder.parent} {folder}  shows why; links are not followed there",
        ) from error
    finally:
        for shard in shards:
            os.close(shard.fd)


def runs_of(
    shards: list[layout.Shard], job_id: str, attempt: int | None = None, files_of: Lister | None = None
) -> dict[layout.Run, layout.Shard]:
    """Return the runs (of one attempt, if given) that have a log, oldest first, with their directories.

    ``files_of`` lists a directory instead of `layout.files_of`.
    """
    lister = files_of or layout.files_of
    found = {run: shard for shard in reversed(shards) for run in lister(shard.fd, job_id)[0]}
    return {run: found[run] for run in sorted(found) if attempt in (None, run.attempt)}
