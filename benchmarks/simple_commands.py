"""Draining jobs that are one external command, against `xargs -P4` with a `sh -c` for each.

`/bin/true`, and `/bin/echo x`, which prints: its output goes into a log for each job, and under xargs to /dev/null.
queuectl executes plain words without a shell. `contest` tells how the times are taken.
"""

from __future__ import annotations

from collections import defaultdict

from benchmarks import contest
from benchmarks.drain import SYNCS
from benchmarks.extent import Extent
from benchmarks.figures import Figure, ratios
from benchmarks.sandbox import Sandbox

TITLE = "Drain of simple external commands, against xargs -P4 sh -c"

WORKERS = 4
COMMANDS = (b"/bin/true", b"/bin/echo x")


def measure(extent: Extent) -> list[Figure]:
    """The ratio to xargs, and jobs a second, for both kinds of syncing."""
    jobs, rounds = extent.pick((200, 2), (2000, 5))
    xargs: dict[bytes, list[float]] = defaultdict(list)
    ours: dict[tuple[bytes, str], list[float]] = defaultdict(list)
    with Sandbox("always") as always, Sandbox("everysec") as everysec:
        contestants = list(zip(SYNCS, (always, everysec), strict=True))
        for number in range(rounds):
            for command in COMMANDS:
                xargs[command].append(contest.xargs([command] * jobs, WORKERS))
                for sync, sandbox in contestants[:: -1 if number % 2 else 1]:
                    ours[command, sync].append(contest.queuectl(sandbox, [command] * jobs, WORKERS).drain)
    figures = []
    for command in COMMANDS:
        name = command.decode()
        for sync in SYNCS:
            label, drains = f"{name}, fsync {sync}", ours[command, sync]
            against = ratios(xargs[command], drains)
            figures += [
                Figure.median(f"{label}: drain", against, f"x xargs -P{WORKERS}", target="simple-commands"),
                Figure.median(label, [jobs / seconds for seconds in drains], "jobs/s"),
            ]
        rates = [jobs / seconds for seconds in xargs[command]]
        figures.append(Figure.median(f"{name}, xargs -P{WORKERS}", rates, "jobs/s"))
    return figures
