"""Draining a queue of no-op jobs, against `xargs -P`, which does the least that anything can.

Both run the same 2,000 commands, `echo NUMBER >> FILE`, each in a `sh -c` of its own, with the same number
at a time; xargs is timed from its start to its end. For queuectl all jobs are enqueued first, and then
`queuectl worker start --burst` drains them. Its time is taken twice:

- *drain*: from the first claim to the last result acknowledged, both stamped by the server. It leaves out only
  what happens once, however many jobs there are: Python's start, and the end of the pool.
- *whole process*: from starting the program to its exit, with those.

Afterwards the file must hold each number exactly once, and the server's time must fit into the process's.
The pool's start alone, on an empty queue, is shown as well.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Figure, ratios
from benchmarks.sandbox import PROGRAM, Sandbox
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.storage.scripts import CHUNK

TITLE = "Drain of no-op jobs, against xargs -P running the same commands"


class Drained(NamedTuple):
    """Seconds that a drain took, by the server's clock and by that of the whole process."""

    drain: float
    process: float


def measure(*, quick: bool) -> list[Figure]:
    """Jobs a second and their ratio to xargs, for each number of workers and both kinds of syncing."""
    jobs, rounds, counts = (200, 2, (4,)) if quick else (2000, 5, (2, 4, 8))
    xargs: dict[int, list[float]] = defaultdict(list)
    ours: dict[tuple[int, str], list[Drained]] = defaultdict(list)
    starts: list[float] = []
    with Sandbox("always") as always, Sandbox("everysec") as everysec:
        for number in range(rounds):
            for workers in counts:
                contestants = [("always", always), ("everysec", everysec)]
                xargs[workers].append(_xargs(always.folder / "out", jobs, workers))
                for name, sandbox in contestants[:: -1 if number % 2 else 1]:
                    ours[workers, name].append(_queuectl(sandbox, jobs, workers))
            always.empty()
            starts.append(_burst(always, 4))
    figures = []
    for workers in counts:
        for name in ("always", "everysec"):
            runs = ours[workers, name]
            label = f"{workers} workers, fsync {name}"
            for what, seconds in (
                ("drain", [run.drain for run in runs]),
                ("whole process", [r.process for r in runs]),
            ):
                figures.append(
                    Figure.median(f"{label}: {what}", ratios(xargs[workers], seconds), f"x xargs -P{workers}")
                )
            figures.append(Figure.median(f"{label}", [jobs / run.drain for run in runs], "jobs/s"))
        figures.append(
            Figure.median(f"xargs -P{workers}", [jobs / seconds for seconds in xargs[workers]], "jobs/s")
        )
    figures.append(Figure.median("start and end of a pool with nothing to do", [s * 1000 for s in starts], "ms"))
    return figures


def _commands(file: Path, jobs: int) -> list[bytes]:
    return [f"echo {number} >> {shlex.quote(str(file))}".encode() for number in range(jobs)]


def _xargs(file: Path, jobs: int, workers: int) -> float:
    commands = b"\0".join(_commands(file, jobs))
    begun = time.perf_counter()
    subprocess.run(["xargs", "-0", "-n1", f"-P{workers}", "sh", "-c"], input=commands, check=True)
    seconds = time.perf_counter() - begun
    _check_output(file, jobs)
    return seconds


def _queuectl(sandbox: Sandbox, jobs: int, workers: int) -> Drained:
    sandbox.empty()
    file = sandbox.folder / "out"
    for _ in sandbox.manager.enqueue_many(_commands(file, jobs)):
        pass
    process = _burst(sandbox, workers)
    _check_output(file, jobs)
    done = _completed(sandbox)
    drain = max(job.finished_at or 0.0 for job in done) - min(job.started_at or 0.0 for job in done)
    if len(done) != jobs or not 0 < drain < process:
        raise AssertionError(f"{len(done)} of {jobs} jobs completed in {drain} s, the process took {process} s")
    return Drained(drain, process)


def _burst(sandbox: Sandbox, workers: int) -> float:
    command = [PROGRAM, "worker", "start", "--burst", "--count", str(workers)]
    begun = time.perf_counter()
    subprocess.run(command, env=sandbox.environ, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def _completed(sandbox: Sandbox) -> list[Job]:
    jobs: list[Job] = []
    after = None
    while True:
        page = sandbox.manager.page([JobState.COMPLETED], CHUNK, after)
        jobs += page.jobs
        if page.end is None:
            return jobs
        after = page.end


def _check_output(file: Path, jobs: int) -> None:
    """Each job ran exactly once."""
    numbers = sorted(map(int, file.read_text().split()))
    file.unlink()
    if numbers != list(range(jobs)):
        raise AssertionError(f"{len(numbers)} runs, {len(set(numbers))} different ones, instead of {jobs}")
