"""What one command costs: `queuectl enqueue true`, from its start to its end, against bare Python.

In turns: `python -c pass`, a program whose only act is an empty Click command, `queuectl enqueue true` and
`queuectl status`, with the same Python and the server up. Six rounds of five turns; a round counts with its median.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import defaultdict

from benchmarks.extent import Extent
from benchmarks.figures import Figure, ratios
from benchmarks.sandbox import PROGRAM, Sandbox

TITLE = "One command, as a process"

EMPTY_CLICK_COMMAND = """\
import click

@click.command()
def main():
    pass

main()
"""


BARE, EMPTY, ENQUEUE, STATUS = (
    "python -c pass",
    "an empty Click command",
    "queuectl enqueue true",
    "queuectl status",
)


def measure(extent: Extent) -> list[Figure]:
    """Milliseconds, and the ratio to bare Python."""
    rounds, turns = extent.pick((2, 2), (6, 5))
    with Sandbox() as sandbox:
        times = timed(sandbox, rounds, turns)
    return [
        *(Figure.median(name, values, "ms") for name, values in times.items()),
        Figure.median(
            "enqueue: of bare Python", ratios(times[ENQUEUE], times[BARE]), "x", "enqueue-of-bare-python"
        ),
        Figure.median(
            "enqueue: of an empty Click command",
            ratios(times[ENQUEUE], times[EMPTY]),
            "x",
            "enqueue-of-empty-click",
        ),
        Figure.median("status: of bare Python", ratios(times[STATUS], times[BARE]), "x"),
    ]


def timed(sandbox: Sandbox, rounds: int, turns: int) -> dict[str, list[float]]:
    """Milliseconds of each program: the median of its turns, round by round."""
    click_program = sandbox.folder / "click_program.py"
    click_program.write_text(EMPTY_CLICK_COMMAND)
    commands = {
        BARE: [sys.executable, "-c", "pass"],
        EMPTY: [sys.executable, str(click_program)],
        ENQUEUE: [PROGRAM, "enqueue", "true"],
        STATUS: [PROGRAM, "status"],
    }
    for command in commands.values():
        _milliseconds(command, sandbox)  # once before, so that all files are in memory and compiled
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        samples: dict[str, list[float]] = defaultdict(list)
        for _ in range(turns):
            for name, command in commands.items():
                samples[name].append(_milliseconds(command, sandbox))
        for name, values in samples.items():
            times[name].append(statistics.median(values))
    return times


def _milliseconds(command: list[str], sandbox: Sandbox) -> float:
    begun = time.perf_counter()
    subprocess.run(
        command,
        env=sandbox.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return (time.perf_counter() - begun) * 1000
