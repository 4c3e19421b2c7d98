"""Removes logs: together with their jobs, or later, after the jobs have gone from the server."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from queuectl.logs import layout
from queuectl.model.job_id import is_id

_BATCH = 500  # ids per call of `exists`
_SHARD = re.compile(r"[0-9a-f]{2}|[0-9a-f]{4}")


def remove(home: str | os.PathLike[str], job_ids: Iterable[str]) -> int:
    """Remove all logs of these jobs; return the number of files removed.

    Skips invalid ids, which other software may have put into the server: they have no logs. A file that can't be
    removed stays. Each directory that may hold one of these logs is read once.
    """
    shards: dict[str, set[str]] = defaultdict(set)
    for job_id in filter(is_id, job_ids):
        for shard in layout.shards_of(job_id):
            shards[shard].add(job_id)
    removed = 0
    with contextlib.suppress(OSError), _closing(layout.open_logs(home)) as logs:
        for shard, ids in shards.items():
            with contextlib.suppress(OSError), _closing(layout.open_shard_in(logs, shard)) as directory:
                names = [name for name in os.listdir(directory) if name.partition(".")[0] in ids]
                removed += _unlink(directory, [name for name in names if _id_of(name)])
    return removed


class LogSweeper:
    """Removes, a little at a time, logs whose jobs are gone and that nobody has written to for some time.

    ``exists`` takes at most 500 ids and says, in the same order, which of them the server still has. Empty
    directories are removed too.
    """

    def __init__(
        self,
        home: str | os.PathLike[str],
        exists: Callable[[Sequence[str]], Sequence[bool]],
        older_than_seconds: float,
    ) -> None:
        self._home = home
        self._exists = exists
        self._older_than_seconds = older_than_seconds
        self._shards: list[str] = []
        self._next = 0

    @property
    def position(self) -> str:
        """The directory to check next; "" between two passes."""
        return self._shards[self._next] if self._next < len(self._shards) else ""

    def sweep(self, now: float, budget: int = 1000) -> int:
        """Check whole directories until they add up to at least ``budget`` files; return the number removed.

        ``now`` is Unix time, by the file system's clock. A call after the end of a pass begins the next one.
        Errors of ``exists`` propagate, and the next call checks those directories again.
        """
        try:
            descriptor = layout.open_logs(self._home)
        except OSError:
            self._shards = []
            return 0
        with _closing(descriptor) as logs:
            if not self.position:
                self._shards, self._next = sorted(filter(_SHARD.fullmatch, os.listdir(logs))), 0
            old: dict[str, list[str]] = {}
            end, checked = self._next, 0
            while end < len(self._shards) and checked < budget:
                shard = self._shards[end]
                count, old[shard] = _old_logs(logs, shard, now - self._older_than_seconds)
                checked += max(1, count)
                end += 1
            gone = self._gone({_id_of(name) for names in old.values() for name in names})
            removed = sum(
                _remove_from(logs, shard, [name for name in names if _id_of(name) in gone])
                for shard, names in old.items()
            )
            self._next = end
        return removed

    def _gone(self, ids: set[str]) -> set[str]:
        """Return the ids that the server does not have."""
        ordered = sorted(ids)
        gone: set[str] = set()
        for start in range(0, len(ordered), _BATCH):
            batch = ordered[start : start + _BATCH]
            gone.update(each for each, here in zip(batch, self._exists(batch), strict=True) if not here)
        return gone


def _old_logs(logs: int, shard: str, latest: float) -> tuple[int, list[str]]:
    """Return the number of logs in this directory, and the names of those last written before ``latest``."""
    try:
        descriptor = layout.open_shard_in(logs, shard)
    except OSError:
        return 0, []
    with _closing(descriptor) as directory:
        names = [name for name in os.listdir(directory) if name.startswith(shard) and _id_of(name)]
        return len(names), [name for name in names if _is_older(directory, name, latest)]


def _remove_from(logs: int, shard: str, names: list[str]) -> int:
    """Remove these logs, and the directory if it is then empty."""
    removed = 0
    if names:
        with contextlib.suppress(OSError), _closing(layout.open_shard_in(logs, shard)) as directory:
            removed = _unlink(directory, names)
    with contextlib.suppress(OSError):  # most are not empty
        os.rmdir(shard, dir_fd=logs)
    return removed


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _id_of(name: str) -> str:
    """Return the id of the job a file belongs to; "" for a foreign file."""
    found = layout.parse(name)
    if found is None:
        return ""
    return found.run.job_id if isinstance(found, layout.Segment) else found.job_id


def _is_older(directory: int, name: str, latest: float) -> bool:
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_mtime < latest


def _unlink(directory: int, names: list[str]) -> int:
    removed = 0
    for name in names:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=directory)
            removed += 1
    return removed
