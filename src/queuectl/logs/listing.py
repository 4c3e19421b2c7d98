"""Lists a job's log files again only when their directory has changed, for a follower that asks often."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from queuectl.logs import layout

SETTLING_SECONDS = 2.0
"""A directory's time of change may stay the same through several changes as short as this apart."""


class _Listing(NamedTuple):
    changed_ns: int
    since: float
    """When this time of change was first seen, by the monotonic clock."""

    settled: bool
    files: layout.Files


class CachedListing:
    """Gives what `layout.files_of` gives at this moment, for one job.

    The directory is read when its time of change differs from the last one, and each time until that time is older
    than the file system's clock is coarse. Only then does the same time mean the same files.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], _Listing] = {}

    def __call__(self, shard: int, job_id: str) -> layout.Files:
        status = os.fstat(shard)  # before the directory is read: a change in between is seen the next time
        directory = (status.st_dev, status.st_ino)
        known, now = self._known.get(directory), time.monotonic()
        if known is None or known.changed_ns != status.st_mtime_ns:
            known = _Listing(status.st_mtime_ns, now, False, layout.files_of(shard, job_id))
        elif not known.settled:
            settled = now - known.since > SETTLING_SECONDS
            known = known._replace(settled=settled, files=layout.files_of(shard, job_id))
        self._known[directory] = known
        return known.files
