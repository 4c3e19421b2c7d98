"""Follows a job's log while it is written."""

from __future__ import annotations

import os

from queuectl.logs import layout
from queuectl.logs.listing import CachedListing
from queuectl.logs.reader import reading, runs_of
from queuectl.logs.view import View, open_view

_CHUNK_BYTES = 1024 * 1024


class LogFollower:
    """Returns a job's output piece by piece, from the start of its newest run.

    With ``attempt``, only from the newest run of that attempt. With ``from_first``, from the start of the oldest
    run. With ``last_lines``, only the last lines of the first run that it finds.

    The caller does the waiting::

        while True:
            over = job_is_over()  # ask before reading, or the last output is lost
            while data := follower.read_new():
                show(data)
            if over:
                break
            wait()

    ``attempt`` and ``fence`` identify the run whose output the last ``read_new`` returned (0: no log yet). They
    change once a later run has begun and the previous one is read to its end. A follower that keeps up sees
    everything; one that falls behind gets a gap line with the exact number of bytes it missed.

    Holds no file open between calls, and reads a directory only when it has changed.
    Raises InvalidInput for an invalid id.
    """

    def __init__(
        self,
        home: str | os.PathLike[str],
        job_id: str,
        attempt: int | None = None,
        *,
        from_first: bool = False,
        last_lines: int | None = None,
    ) -> None:
        self._home = home
        self._job_id = layout.check_id(job_id)
        self._only = attempt
        self._first = 0 if from_first else -1
        self._last_lines = last_lines
        self._files_of = CachedListing()
        self._run: layout.Run | None = None
        self._later: layout.Run | None = None  # the run to continue with
        self._position = 0  # in the run's output, including what was left out
        self._limit = 0  # the run's limit, once a segment has shown it
        self.left_out = 0
        """Bytes that gap lines have replaced so far."""

    @property
    def attempt(self) -> int:
        return self._run.attempt if self._run else 0

    @property
    def fence(self) -> int:
        return self._run.fence if self._run else 0

    def read_new(self) -> bytes:
        """Return up to 1 MiB of output since the last call; b"" for no output. Raises the errors of ``read``."""
        while True:
            later = self._later
            data = self._look()
            if data or self._later is None:
                return data
            if later is not None:  # it began before this read, so the previous run is read to its end
                self._run, self._later, self._position, self._limit = later, None, 0, 0

    def _look(self) -> bytes:
        data = b""  # if the log was removed
        with reading(self._home, self._job_id) as shards:
            runs = runs_of(shards, self._job_id, self._only, self._files_of)
            run = self._run or (list(runs)[self._first] if runs else None)
            if run is not None:
                self._run = run
                self._later = next((each for each in runs if each.fence > run.fence), None)
                if run in runs:
                    data = self._advance(runs[run].fd, run)
        return data

    def _advance(self, shard: int, run: layout.Run) -> bytes:
        with open_view(shard, run, self._limit, self._files_of) as view:
            self._limit = view.limit
            if self._last_lines is not None:
                self._position, self._last_lines = _position_of(view.start_of_last(self._last_lines), view), None
            offset = self._position
            if view.left_out and offset >= view.head:
                end = view.head + view.left_out
                if offset < end:
                    self._position = end
                    self.left_out += end - offset
                    return layout.gap_line(end - offset)
                offset += len(layout.gap_line(view.left_out)) - view.left_out
            data = view.read(offset, _CHUNK_BYTES)
            self._position += len(data)
            return data


def _position_of(offset: int, view: View) -> int:
    """Return the position in the run's output for this offset of the view; the gap line counts as one unit."""
    if not view.left_out or offset <= view.head:
        return offset
    behind_gap = offset - view.head - len(layout.gap_line(view.left_out))
    return view.head if behind_gap < 0 else view.head + view.left_out + behind_gap
