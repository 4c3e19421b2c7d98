"""The same commands run by queuectl and by `xargs -P`, which does the least that anything can.

xargs is timed from its start to its end. For queuectl all jobs are enqueued first, and then
`queuectl worker start --burst` drains them. Its time is taken twice:

- *drain*: from the first claim to the last result acknowledged, both stamped by the server. It leaves out only
  what happens once, however many jobs there are: Python's start, and the end of the pool.
- *process*: from starting the program to its exit, with those.

The server's time must fit into the process's, and every job must have completed.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.sandbox import PROGRAM, Sandbox


class Drained(NamedTuple):
    """Seconds that a drain took, by the server's clock and by that of the whole process."""

    drain: float
    process: float


def xargs(commands: Sequence[bytes], workers: int) -> float:
    """Seconds that ``xargs -P`` takes for shell commands, each in a ``sh -c`` of its own."""
    given = b"\0".join(commands)
    begun = time.perf_counter()
    subprocess.run(
        ["xargs", "-0", "-n1", f"-P{workers}", "sh", "-c"], input=given, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - begun


def queuectl(sandbox: Sandbox, commands: Sequence[bytes], workers: int) -> Drained:
    """The same for a pool; the queue is emptied before."""
    sandbox.empty()
    sandbox.manager.enqueue_many(commands)
    process = burst(sandbox, workers)
    done = sandbox.completed()
    drain = max(job.finished_at or 0.0 for job in done) - min(job.started_at or 0.0 for job in done)
    if len(done) != len(commands) or not 0 < drain < process:
        raise AssertionError(
            f"{len(done)} of {len(commands)} jobs completed in {drain} s, the process took {process} s"
        )
    return Drained(drain, process)


def burst(sandbox: Sandbox, workers: int) -> float:
    """Seconds that a pool takes, from its start to its end, to do all there is."""
    command = [PROGRAM, "worker", "start", "--burst", "--count", str(workers)]
    begun = time.perf_counter()
    subprocess.run(command, env=sandbox.environ, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun
