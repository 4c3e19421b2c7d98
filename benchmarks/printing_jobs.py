"""Draining jobs that print one line, each into a log of its own, against `xargs -P4` with a file for each job.

2,000 commands `echo "line NUMBER"` for queuectl, and the same with `> FILE` behind it for xargs. The quotes make
both start a shell. Afterwards each log, and each file, must hold its line; `contest` tells how the times are taken.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from pathlib import Path

from benchmarks import contest
from benchmarks.drain import SYNCS
from benchmarks.extent import Extent
from benchmarks.figures import Figure, ratios
from benchmarks.folders import discard
from benchmarks.sandbox import Sandbox

TITLE = "Drain of jobs that print one line, against xargs -P4 with a file for each"

WORKERS = 4


def measure(extent: Extent) -> list[Figure]:
    """The ratio to xargs, and jobs a second, for both kinds of syncing."""
    jobs, rounds = extent.pick((200, 2), (2000, 5))
    xargs: list[float] = []
    ours: dict[str, list[float]] = defaultdict(list)
    commands = [f'echo "line {number}"'.encode() for number in range(jobs)]
    with Sandbox("always") as always, Sandbox("everysec") as everysec:
        contestants = list(zip(SYNCS, (always, everysec), strict=True))
        for number in range(rounds):
            xargs.append(_xargs(commands, always.folder / "files"))
            for sync, sandbox in contestants[:: -1 if number % 2 else 1]:
                ours[sync].append(contest.queuectl(sandbox, commands, WORKERS).drain)
                _check_lines(sandbox.logs, jobs)
    figures = []
    for sync in SYNCS:
        label, unit = f"{WORKERS} workers, fsync {sync}", f"x xargs -P{WORKERS}"
        figures += [
            Figure.median(f"{label}: drain", ratios(xargs, ours[sync]), unit, target=f"printing-jobs-{sync}"),
            Figure.median(label, [jobs / seconds for seconds in ours[sync]], "jobs/s"),
        ]
    return [*figures, Figure.median(f"xargs -P{WORKERS}", [jobs / seconds for seconds in xargs], "jobs/s")]


def _xargs(commands: list[bytes], folder: Path) -> float:
    folder.mkdir()
    target = shlex.quote(str(folder)).encode()
    seconds = contest.xargs([b"%s > %s/%d" % (line, target, i) for i, line in enumerate(commands)], WORKERS)
    _check_lines(folder, len(commands))
    discard(folder)
    return seconds


def _check_lines(folder: Path, jobs: int) -> None:
    """There is a file for each job, and its line is in it."""
    lines = sorted(file.read_text() for file in folder.rglob("*") if file.is_file())
    if lines != sorted(f"line {number}\n" for number in range(jobs)):
        raise AssertionError(f"{len(lines)} files with {len(set(lines))} different contents, instead of {jobs}")
