"""Removes logs: at once with their jobs, or later when their jobs have gone from the server."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from queuectl.logs import layout

_BATCH = 500  # ids a question
_SHARD = re.compile(r"[0-9a-f]{2}")


def remove(home: str | os.PathLike[str], job_ids: Iterable[str]) -> int:
    """Remove all logs of these jobs, and say how many files that were.

    What is no id has no log, and is passed over: a stranger may have put it into the server. A file that can't be
    removed stays.
    """
    shards: dict[str, set[str]] = defaultdict(set)
    for job_id in filter(layout.is_id, job_ids):
        shards[job_id[:2]].add(job_id)
    removed = 0
    for shard, ids in shards.items():
        with contextlib.suppress(OSError):
            directory = layout.open_shard(home, shard)
            try:
                removed += _unlink(directory, [name for name in os.listdir(directory) if _id_of(name) in ids])
            finally:
                os.close(directory)
    return removed


class LogSweeper:
    """Removes, a little at a time, logs whose jobs are gone and which nobody wrote to for some time.

    ``exists`` says for at most 500 ids a call which the server still has, in the same order.
    ``position`` is the name of the last file looked at, "" between two passes.
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
        self.position = ""

    def sweep(self, now: float, budget: int = 1000) -> int:
        """Look at the next ``budget`` files (1 or more) and say how many were removed.

        ``now`` is Unix time, by the clock of the file system. A call at the end of a pass may look at fewer;
        the next one begins again. What ``exists`` raises goes through, and those files are looked at again.
        """
        removed = 0
        for shard in self._shards():
            if budget <= 0:
                return removed
            names, count = self._sweep_shard(shard, now, budget)
            removed += count
            budget -= len(names)
            if names:
                self.position = names[-1]
        if budget > 0:
            self.position = ""
        return removed

    def _shards(self) -> list[str]:
        """The directories from the position on, in order; none if there are no logs."""
        try:
            logs = layout.open_logs(self._home)
        except OSError:
            return []
        try:
            names = os.listdir(logs)
        finally:
            os.close(logs)
        return sorted(name for name in names if _SHARD.fullmatch(name) and name >= self.position[:2])

    def _sweep_shard(self, shard: str, now: float, budget: int) -> tuple[list[str], int]:
        """(names looked at, number removed)"""
        try:
            directory = layout.open_shard(self._home, shard)
        except OSError:
            return [], 0
        try:
            ours = [name for name in os.listdir(directory) if name.startswith(shard) and _id_of(name)]
            names = sorted(name for name in ours if name > self.position)[:budget]
            latest = now - self._older_than_seconds
            old = [name for name in names if _is_older(directory, name, latest)]
            return names, _unlink(directory, self._orphans(old))
        finally:
            os.close(directory)

    def _orphans(self, names: list[str]) -> list[str]:
        ids = sorted({_id_of(name) for name in names})
        gone: set[str] = set()
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            gone.update(each for each, here in zip(batch, self._exists(batch), strict=True) if not here)
        return [name for name in names if _id_of(name) in gone]


def _id_of(name: str) -> str:
    """The job a file belongs to; "" for a foreign file."""
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
