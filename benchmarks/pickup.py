"""From `enqueue` to the command's first instruction, with idle workers waiting.

The job is `echo >FIFO`; this process holds the FIFO open, and takes the time when the byte arrives. So what is
measured holds the whole way: the job is written and synced, a worker is woken, claims it, starts `/bin/sh`, the
shell opens the FIFO, and we are woken. Two beginnings: the call of `QueueManager.enqueue` on an open connection,
and the start of a process `queuectl enqueue`. For comparison, the same shell command started directly.
Before each, all is idle again: the last job is over, and a moment has passed.
"""

from __future__ import annotations

import os
import random
import select
import shlex
import subprocess
import time
from collections.abc import Callable

from benchmarks.figures import Figure
from benchmarks.sandbox import PROGRAM, Sandbox, wait_for

TITLE = "Pickup: from enqueue to the command's first instruction, on an idle pool of 2"

LONGEST_SECONDS = 30.0


def measure(*, quick: bool) -> list[Figure]:
    """Milliseconds: the median and the 99th percentile."""
    repetitions = 10 if quick else 200
    with Sandbox() as sandbox, sandbox.pool(2):
        path = sandbox.folder / "fifo"
        os.mkfifo(path)
        fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        command = f"echo >{shlex.quote(str(path))}"
        ways: dict[str, Callable[[], object]] = {
            "enqueue by a call": lambda: sandbox.manager.enqueue(command.encode()),
            "enqueue by a process": lambda: _start([PROGRAM, "enqueue", command], sandbox),
            "sh -c, started directly": lambda: _start(["/bin/sh", "-c", command], sandbox),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repetitions):
            for name, act in ways.items():
                times[name].append(_latency(fifo, act))
                wait_for(lambda: sandbox.unfinished() == 0)
                time.sleep(random.uniform(0.005, 0.03))
        os.close(fifo)
    return [
        Figure.percentile(f"{name}: p{percent}", values, percent, "ms")
        for name, values in times.items()
        for percent in (50, 99)
    ]


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
