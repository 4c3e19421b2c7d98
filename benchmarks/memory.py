"""What a pending job takes of the server's memory: the growth of `used_memory` over many jobs, divided.

A typical job: a command of 60 bytes, the directory it was enqueued from, and variables that all of them share.
100,000 jobs; 1,000,000 in the full run.
"""

from __future__ import annotations

import os

from benchmarks.extent import Extent
from benchmarks.figures import Figure
from benchmarks.sandbox import Sandbox

TITLE = "Memory of a pending job"

COMMAND_BYTES = 60


def measure(extent: Extent) -> list[Figure]:
    """Bytes a job, indexes and all."""
    jobs, rounds = extent.pick((2000, 1), (100_000, 5), (1_000_000, 5))
    sizes = []
    for _ in range(rounds):
        with Sandbox("everysec") as sandbox:
            sizes.append(bytes_each(sandbox, jobs))
    label = f"{jobs:,} jobs, command {COMMAND_BYTES} bytes, directory {len(os.getcwdb())}"
    return [Figure.median(label, sizes, "bytes/job", target="memory")]


def bytes_each(sandbox: Sandbox, jobs: int) -> float:
    """Add so many jobs, and say by how much the server has grown for each."""
    commands = [f"python train.py --data /srv/data/run --seed {number:016}".encode() for number in range(jobs)]
    assert len(commands[-1]) == COMMAND_BYTES
    before = int(sandbox.info("memory")["used_memory"])
    sandbox.manager.enqueue_many(commands)
    sandbox.settle()
    return (int(sandbox.info("memory")["used_memory"]) - before) / jobs
