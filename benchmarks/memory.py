"""What a pending job takes of the server's memory: the growth of `used_memory` over 100,000 jobs, divided."""

from __future__ import annotations

from benchmarks.figures import Figure
from benchmarks.sandbox import Sandbox

TITLE = "Memory of a pending job"


def measure(*, quick: bool) -> list[Figure]:
    """Bytes a job, indexes and all."""
    jobs, rounds = (2000, 1) if quick else (100_000, 5)
    commands = [f"python train.py --seed {number}".encode() for number in range(jobs)]
    sizes = []
    for _ in range(rounds):
        with Sandbox("everysec") as sandbox:
            before = int(sandbox.info("memory")["used_memory"])
            for _ in sandbox.manager.enqueue_many(commands):
                pass
            sizes.append((int(sandbox.info("memory")["used_memory"]) - before) / jobs)
    return [Figure.median(f"with {jobs:,} jobs, commands of {len(commands[-1])} bytes", sizes, "bytes/job")]
