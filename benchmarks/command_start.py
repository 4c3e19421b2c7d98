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


def measure(*, quick: bool) -> list[Figure]:
    """Milliseconds, and the ratio to bare Python."""
    rounds, turns = (2, 2) if quick else (6, 5)
    times: dict[str, list[float]] = defaultdict(list)
    with Sandbox() as sandbox:
        click_program = sandbox.folder / "click_program.py"
        click_program.write_text(EMPTY_CLICK_COMMAND)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "an empty Click command": [sys.executable, str(click_program)],
            "queuectl enqueue true": [PROGRAM, "enqueue", "true"],
            "queuectl status": [PROGRAM, "status"],
        }
        for command in commands.values():
            _milliseconds(command, sandbox)  # once before, so that all files are in memory and compiled
        for _ in range(rounds):
            samples: dict[str, list[float]] = defaultdict(list)
            for _ in range(turns):
                for name, command in commands.items():
                    samples[name].append(_milliseconds(command, sandbox))
            for name, values in samples.items():
                times[name].append(statistics.median(values))
    figures = [Figure.median(name, values, "ms") for name, values in times.items()]
    bare, empty, enqueue, status = times.values()
    return [
        *figures,
        Figure.median("enqueue: of bare Python", ratios(enqueue, bare), "x"),
        Figure.median("enqueue: of an empty Click command", ratios(enqueue, empty), "x"),
        Figure.median("status: of bare Python", ratios(status, bare), "x"),
    ]


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
