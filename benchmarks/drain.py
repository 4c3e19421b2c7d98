"""Draining a queue of no-op jobs, against `xargs -P` running the same commands.

2,000 commands, `echo NUMBER >> FILE`, each in a `sh -c` of its own; `contest` tells how the times are taken.
Afterwards the file must hold each number exactly once. The pool's start alone, on an empty queue, is shown as well.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import contest
from benchmarks.contest import Drained
from benchmarks.extent import Extent
from benchmarks.figures import Figure, ratios
from benchmarks.sandbox import Sandbox

TITLE = "Drain of no-op jobs, against xargs -P running the same commands"

SYNCS = ("always", "everysec")


class Runs(NamedTuple):
    """Seconds of xargs by number of workers, and of queuectl by that number and the kind of syncing."""

    xargs: dict[int, list[float]]
    queuectl: dict[tuple[int, str], list[Drained]]


def measure(extent: Extent) -> list[Figure]:
    """Jobs a second and their ratio to xargs, for each number of workers and both kinds of syncing."""
    jobs, rounds, counts = extent.pick((200, 2, (4,)), (2000, 5, (2, 4, 8)))
    with Sandbox("always") as always, Sandbox("everysec") as everysec:
        runs = run(always, everysec, jobs, rounds, counts)
        always.empty()
        starts = [contest.burst(always, 4) * 1000 for _ in range(rounds)]
    figures = []
    for workers in counts:
        xargs = runs.xargs[workers]
        for sync in SYNCS:
            label, unit = f"{workers} workers, fsync {sync}", f"x xargs -P{workers}"
            drains = [each.drain for each in runs.queuectl[workers, sync]]
            processes = [each.process for each in runs.queuectl[workers, sync]]
            figures += [
                Figure.median(f"{label}: drain", ratios(xargs, drains), unit, f"drain-{workers}-{sync}"),
                Figure.median(f"{label}: whole process", ratios(xargs, processes), unit),
                Figure.median(label, [jobs / seconds for seconds in drains], "jobs/s"),
            ]
        figures.append(Figure.median(f"xargs -P{workers}", [jobs / seconds for seconds in xargs], "jobs/s"))
    return [*figures, Figure.median("start and end of a pool with nothing to do", starts, "ms")]


def run(always: Sandbox, everysec: Sandbox, jobs: int, rounds: int, counts: Sequence[int]) -> Runs:
    """The contest itself, in turns."""
    runs = Runs(defaultdict(list), defaultdict(list))
    contestants = list(zip(SYNCS, (always, everysec), strict=True))
    file = always.folder / "out"
    commands = [f"echo {number} >> {shlex.quote(str(file))}".encode() for number in range(jobs)]
    for number in range(rounds):
        for workers in counts:
            runs.xargs[workers].append(contest.xargs(commands, workers))
            _check_output(file, jobs)
            for sync, sandbox in contestants[:: -1 if number % 2 else 1]:
                runs.queuectl[workers, sync].append(contest.queuectl(sandbox, commands, workers))
                _check_output(file, jobs)
    return runs


def _check_output(file: Path, jobs: int) -> None:
    """Each job ran exactly once."""
    numbers = sorted(map(int, file.read_text().split()))
    file.unlink()
    if numbers != list(range(jobs)):
        raise AssertionError(f"{len(numbers)} runs, {len(set(numbers))} different ones, instead of {jobs}")
