"""Follows a job's log while it is written."""

from __future__ import annotations

import os

from queuectl.logs import layout
from queuectl.logs.listing import CachedListing
from queuectl.logs.reader import reading, runs_of
from queuectl.logs.view import View, open_view

_CHUNK_BYTES = 1024 * 1024


class LogFollower:
    """Gives what a job prints, bit by bit, from the beginning of its newest run on.

    With ``attempt``, of the newest run of that attempt, and never of another. With ``from_first``, from the
    beginning of the oldest run on. With ``last_lines``, of the first run that it finds only so many of the end.

    The waiting is the caller's::

        while True:
            over = job_is_over()  # asked before reading, or the last words are lost
            while data := follower.read_new():
                show(data)
            if over:
                break
            wait()

    ``attempt`` and ``fence`` tell whose output the last ``read_new`` gave (0: no log yet); when a later run
    has begun and the one before is read to its end, they change. A follower that keeps up sees everything,
    one that falls behind what is kept gets a gap line with the exact number of bytes it missed.

    Holds no file open between calls, and reads a directory only when it has changed.
    InvalidInput if the id isn't one.
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
        self._later: layout.Run | None = None  # the run to go on with
        self._position = 0  # in the run's output, what was left out included
        self._limit = 0  # the run's limit, once a segment has told it
        self.left_out = 0
        """Bytes that gap lines stood for so far."""

    @property
    def attempt(self) -> int:
        return self._run.attempt if self._run else 0

    @property
    def fence(self) -> int:
        return self._run.fence if self._run else 0

    def read_new(self) -> bytes:
        """What is new since the last call, at most 1 MiB; b"" if nothing is. Errors are those of ``read``."""
        while True:
            later = self._later
            data = self._look()
            if data or self._later is None:
                return data
            if later is not None:  # it had begun before this look, so the run before it is read to its end
                self._run, self._later, self._position, self._limit = later, None, 0, 0

    def _look(self) -> bytes:
        data = b""  # stays if the log was removed
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
    """The place in the run's output that stands at this offset of the view; the gap line as a whole."""
    if not view.left_out or offset <= view.head:
        return offset
    behind_gap = offset - view.head - len(layout.gap_line(view.left_out))
    return view.head if behind_gap < 0 else view.head + view.left_out + behind_gap
