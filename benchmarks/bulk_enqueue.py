"""Adding many jobs at once: 100,000 commands through `queuectl enqueue --from -`, and through Python.

The program is timed from its start to its end, so it includes the start of Python; the call of
`QueueManager.enqueue_many` until the last job is acknowledged. Each is synced to the disk (`appendfsync always`).
"""

from __future__ import annotations

import time

from benchmarks.extent import Extent
from benchmarks.figures import Figure
from benchmarks.sandbox import Sandbox

TITLE = "Bulk enqueue"


def measure(extent: Extent) -> list[Figure]:
    """Jobs a second."""
    jobs, rounds = extent.pick((1000, 2), (100_000, 5))
    commands = [f"echo job number {number}".encode() for number in range(jobs)]
    by_program, by_call = [], []
    with Sandbox() as sandbox:
        for _ in range(rounds):
            sandbox.empty()
            begun = time.perf_counter()
            ids = sandbox.run("enqueue", "--from", "-", stdin=b"\n".join(commands) + b"\n").split()
            by_program.append(jobs / (time.perf_counter() - begun))
            _check(len(set(ids)), jobs, sandbox)
            sandbox.empty()
            begun = time.perf_counter()
            added = len(sandbox.manager.enqueue_many(commands))
            by_call.append(jobs / (time.perf_counter() - begun))
            _check(added, jobs, sandbox)
    return [
        Figure.median(f"enqueue --from - with {jobs:,} lines", by_program, "jobs/s", "bulk-enqueue-lines"),
        Figure.median(f"QueueManager.enqueue_many of {jobs:,}", by_call, "jobs/s", "bulk-enqueue-call"),
    ]


def _check(added: int, jobs: int, sandbox: Sandbox) -> None:
    if not added == jobs == sandbox.unfinished():
        raise AssertionError(f"{added} of {jobs} jobs were added, {sandbox.unfinished()} are there")
