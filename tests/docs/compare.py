"""Compares what a command printed with what the page says, except for what differs from run to run.

| on the page                     | matches                                                            |
|---------------------------------|--------------------------------------------------------------------|
| ``9fa21c07``, or 16 such digits | the id of a job: any, but the same wherever the page has this one  |
| ``box``                         | the name of this host                                              |
| ``box-0b98c5-1``                | the name of a worker                                               |
| ``pid 17697``                   | any process                                                        |
| ``1.4s``, ``0.02 s``, ``21 ms`` | any length of time; a whole number of seconds stands for itself    |
| ``retry in 1.9s``               | also ``retry now``, which a busy machine prints                    |
| ``110/s``, ``1.2 MB``           | any rate, any size with a fraction                                 |
| ``14:21:22``, ``2026-11-24``    | any time, any day                                                  |
| ``/home/ann``                   | the home folder                                                    |
| a line ``...``                  | any number of lines                                                |
| two or more spaces              | two or more spaces; cells must be below their headings             |
"""

from __future__ import annotations

import difflib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

HOME = "/home/ann"
HOST = "box"
ANYTHING = "..."

_ID = re.compile(r"\b(?:[0-9a-f]{16}|[0-9a-f]{8})\b")
_SHORTENED = re.compile(r"\b[0-9a-f]{4,16}\b")
_VARIES = [
    (re.compile(rf"\b{HOST}-[0-9a-f]{{6}}-\d+\b"), "<worker>"),
    (re.compile(r"\bpid \d+"), "<pid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<day>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?Z?\b"), "<time>"),
    (re.compile(r"\b\d+\.\d+ ?(?:s|m|h)\b|\b\d+(?:\.\d+)? ?(?:ms|µs)\b"), "<length>"),
    (re.compile(r"retry (?:in <length>|now)"), "retry <soon>"),
    (re.compile(r"\b[\d,.]+/s\b"), "<rate>"),
    (re.compile(r"\b\d+\.\d+ ?[KMG]i?B?\b"), "<size>"),
    (re.compile(r"  +"), "  "),
]
_HEADINGS = re.compile(r"[A-Z]+(?: {2,}[A-Z]+)+")


class Comparison:
    """What a page and a run have in common, learnt while the commands run: which id stands for which."""

    def __init__(self, home: Path) -> None:
        self._home = str(home)
        self._real: dict[str, str] = {}  # by the first 8 digits of an id on the page
        self._written: dict[str, str] = {}  # the longest form on the page, by the same

    def command(self, text: str) -> str:
        """A command of the page with the ids of this run."""
        return _SHORTENED.sub(lambda match: self._in_this_run(match[0]), text)

    def fits(self, page: list[str], run: list[str]) -> bool:
        """Whether this output is what the page says, with its tables in line. Learns the ids that are new."""
        run = [self._neutral(line) for line in run]
        self._learn(page, run)
        return is_aligned(page) and _fits(
            [_pattern(line) for line in page], [_pattern(self._on_page(line)) for line in run]
        )

    def update(self, page: list[str], run: list[str]) -> list[str]:
        """What the page should say: the old lines where they are right, else those of this run."""
        run = [self._neutral(line) for line in run]
        self._learn(page, run)
        run = tidy([self._on_page(line) for line in run])
        if ANYTHING in page:
            cut = page.index(ANYTHING)
            tail = len(page) - cut - 1
            run = [*run[:cut], ANYTHING, *run[len(run) - tail :]]
        pages, runs = [_pattern(line) for line in page], [_pattern(line) for line in run]
        kept = list(run)
        for block in difflib.SequenceMatcher(None, pages, runs, autojunk=False).get_matching_blocks():
            kept[block.b : block.b + block.size] = page[block.a : block.a + block.size]
        for first, end in tables(run):  # old and new lines have different lengths of time, and so different columns
            if not is_aligned(kept[first:end]):
                kept[first:end] = run[first:end]
        return kept

    def _neutral(self, line: str) -> str:
        """A line without the names of this host and this folder; columns stay aligned."""
        line = line.replace(self._home, HOME)
        host = re.escape(socket.gethostname())
        padding = len(socket.gethostname()) - len(HOST)

        def renamed(match: re.Match[str]) -> str:
            return HOST + match[1] + (" " * max(2, padding + len(match[2])) if match[2] else "")

        return re.sub(rf"(?<![\w.-]){host}((?:-[0-9a-f]{{6}}-\d+)?)(?![\w.-])(  +)?", renamed, line)

    def _learn(self, page: list[str], run: list[str]) -> None:
        """Pair the ids that are new on the page with those that are new in this run, in order."""
        if ANYTHING in page:
            cut = page.index(ANYTHING)
            page, run = page[:cut], run[:cut]
        known = {real[:8] for real in self._real.values()}
        new_on_page = dict.fromkeys(found for line in page for found in _ID.findall(line))
        new_in_run = dict.fromkeys(found for line in run for found in _ID.findall(line) if found[:8] not in known)
        fresh = [found for found in new_on_page if found[:8] not in self._real]
        for written, real in zip(fresh, new_in_run, strict=False):
            self._real.setdefault(written[:8], real)
        for written in new_on_page:
            self._written[written[:8]] = max(written, self._written.get(written[:8], ""), key=len)

    def _in_this_run(self, written: str) -> str:
        """The id of this run for one of the page, or the beginning of one; other words stay."""
        for known, real in self._real.items():
            if known.startswith(written[:8]):
                return real[: max(8, len(written))]  # 4 digits may fit two jobs of this run
        return written

    def _on_page(self, line: str) -> str:
        names = {real[:8]: known for known, real in self._real.items()}

        def renamed(match: re.Match[str]) -> str:
            known = names.get(match[0][:8])
            if known is None:
                return match[0]
            written = self._written.get(known, known)
            return written[: len(match[0])] + match[0][len(written) :]

        return _ID.sub(renamed, line)


def tables(lines: list[str]) -> Iterator[tuple[int, int]]:
    """The tables in an output: the first line of each, its headings, and the line after its last."""
    at = 0
    while at < len(lines):
        end = at + 1
        if _HEADINGS.fullmatch(lines[at]):
            while end < len(lines) and "  " in lines[end]:
                end += 1
            yield at, end
        at = end


def is_aligned(lines: list[str]) -> bool:
    """Whether all tables have their cells below their headings; only the last column may hold anything."""
    for first, end in tables(lines):
        starts = _columns(lines[first])
        for line in lines[first:end]:
            if any(at < starts[-1] and at not in starts for at in _columns(line)):
                return False
            if any(line[start - 2 : start].strip() for start in starts[1:]):
                return False
    return True


def tidy(lines: list[str]) -> list[str]:
    """The same with columns as wide as their cells: a name of this machine may have been longer."""
    lines = list(lines)
    for first, end in tables(lines):
        if not is_aligned(lines[first:end]):
            continue
        starts = _columns(lines[first])
        rows = [
            [line[start:stop].rstrip() for start, stop in zip(starts, [*starts[1:], None], strict=True)]
            for line in lines[first:end]
        ]
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        lines[first:end] = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
    return lines


def _columns(headings: str) -> list[int]:
    return [match.start() for match in re.finditer(r"\S+(?: \S+)*", headings)]


def _pattern(line: str) -> str:
    """A line with a mark in place of all that varies. Of an id the first 8 digits count."""
    line = _ID.sub(lambda match: f"<{match[0][:8]} of {len(match[0])}>", line)
    for varies, mark in _VARIES:
        line = varies.sub(mark, line)
    return line.rstrip()


def _fits(page: list[str], run: list[str]) -> bool:
    if ANYTHING not in page:
        return page == run
    cut = page.index(ANYTHING)
    if run[:cut] != page[:cut]:
        return False
    rest = page[cut + 1 :]
    return any(_fits(rest, run[start:]) for start in range(cut, len(run) + 1))
