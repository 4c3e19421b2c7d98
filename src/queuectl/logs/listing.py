"""Caches the list of a job's log files until their directory changes, for a follower that asks often."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from queuectl.logs import layout

SETTLING_SECONDS = 2.0
"""A directory's modification time may stay the same through several changes within this time."""


class _Listing(NamedTuple):
    changed_ns: int
    since: float
    """When this modification time was first seen, by the monotonic clock."""

    settled: bool
    files: layout.Files


class CachedListing:
    """Returns the current result of `layout.files_of` for one job.

    It reads the directory when its modification time has changed, and every time until that time is older than the
    granularity of the file system's clock. Only then does an equal time prove that the files are the same.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], _Listing] = {}

    def __call__(self, shard: int, job_id: str) -> layout.Files:
        status = os.fstat(shard)  # before reading the directory, so that the next call sees a change in between
        directory = (status.st_dev, status.st_ino)
        known, now = self._known.get(directory), time.monotonic()
        if known is None or known.changed_ns != status.st_mtime_ns:
            known = _Listing(status.st_mtime_ns, now, False, layout.files_of(shard, job_id))
        elif not known.settled:
            settled = now - known.since > SETTLING_SECONDS
            known = known._replace(settled=settled, files=layout.files_of(shard, job_id))
        self._known[directory] = known
        return known.files
