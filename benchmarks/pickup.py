"""From `enqueue` to the command's first instruction, with idle workers waiting.

The job is `echo >FIFO`; this process holds the FIFO open, and takes the time when the byte arrives. So what is
measured holds the whole way: the job is written and synced, a worker is woken, claims it, starts `/bin/sh`, the
shell opens the FIFO, and we are woken. Two beginnings: the call of `QueueManager.enqueue` on an open connection,
and the start of a process `queuectl enqueue`. For comparison, the same shell command started directly.
Before each, all is idle again: the last job is over, and a moment has passed.

Then the pool is left alone for a while (15 seconds, three times; 10 minutes once in the full run; `--idle-minutes`
says otherwise), and the first pickup after it is measured, with some more behind it for comparison.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.extent import Extent
from benchmarks.figures import Figure
from benchmarks.sandbox import PROGRAM, Sandbox, wait_for

TITLE = "Pickup: from enqueue to the command's first instruction, on an idle pool of 2"

LONGEST_SECONDS = 30.0
MORE = 20
BY_CALL = "enqueue by a call"


def measure(extent: Extent) -> list[Figure]:
    """Milliseconds: the median and the 99th percentile; and the first ones after a time without any."""
    repetitions = extent.pick(10, 200)
    with Sandbox() as sandbox, sandbox.pool(2), _fifo(sandbox.folder / "fifo") as fifo:
        command = f"echo >{shlex.quote(str(sandbox.folder / 'fifo'))}"
        ways: dict[str, Callable[[], object]] = {
            BY_CALL: lambda: sandbox.manager.enqueue(command.encode()),
            "enqueue by a process": lambda: _start([PROGRAM, "enqueue", command], sandbox),
            "sh -c, started directly": lambda: _start(["/bin/sh", "-c", command], sandbox),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repetitions):
            for name, act in ways.items():
                times[name].append(_latency(fifo, act))
                _become_idle(sandbox)
        return [
            *_percentiles(times),
            *_after_idling(extent, sandbox, lambda: _latency(fifo, ways[BY_CALL])),
        ]


def _percentiles(times: Mapping[str, Sequence[float]]) -> list[Figure]:
    return [
        Figure.percentile(
            f"{name}: p{percent}", values, percent, "ms", f"pickup-p{percent}" if name == BY_CALL else ""
        )
        for name, values in times.items()
        for percent in (50, 99)
    ]


def _after_idling(extent: Extent, sandbox: Sandbox, latency: Callable[[], float]) -> list[Figure]:
    minutes, rounds = extent.pick((0.01, 2), (0.25, 3), (10.0, 1))
    if extent.idle_minutes is not None:
        minutes, rounds = extent.idle_minutes, 1
    first, next_ones = [], []
    for _ in range(rounds):
        time.sleep(minutes * 60)
        first.append(latency())
        for _ in range(MORE):
            _become_idle(sandbox)
            next_ones.append(latency())
        _become_idle(sandbox)
    return [
        Figure.median(f"{BY_CALL}: first after {minutes:g} idle minutes", first, "ms", "pickup-p99"),
        Figure.median(f"{BY_CALL}: the {MORE} after it", next_ones, "ms"),
    ]


@contextlib.contextmanager
def _fifo(path: Path) -> Iterator[int]:
    os.mkfifo(path)
    fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield fifo
    finally:
        os.close(fifo)


def _become_idle(sandbox: Sandbox) -> None:
    wait_for(lambda: sandbox.unfinished() == 0)
    time.sleep(random.uniform(0.005, 0.03))


def _latency(fifo: int, act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    started = act()
    if not select.select([fifo], [], [], LONGEST_SECONDS)[0]:
        raise TimeoutError("the job did not start")
    milliseconds = (time.perf_counter() - begun) * 1000
    os.read(fifo, 64)
    if isinstance(started, subprocess.Popen):
        started.wait()
    return milliseconds


def _start(command: list[str], sandbox: Sandbox) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=sandbox.environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
