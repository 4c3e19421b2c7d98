"""A thousand jobs at a time: how full a pool of 1,000 workers is, and what it takes. Linux only.

5,000 jobs `sleep 1` for `worker start --count 1000`. 20 times a second, the processes that run for the pool are
counted, as the children of its runners, and the leases in the server. What counts is the time from the moment when
as many jobs have started as there are slots, to the last claim: in between there is work for every free slot.
Memory is the sum of the proportional shares (PSS) of queuectl's own processes, at its highest, without the jobs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks import processes
from benchmarks.extent import Extent
from benchmarks.figures import Figure
from benchmarks.sandbox import Sandbox
from queuectl.model.lifecycle import JobState
from queuectl.storage.calls.workers import overview

TITLE = "1,000 jobs at a time in one pool"

SAMPLE_SECONDS = 0.05
MEMORY_EVERY = 20


class Sample(NamedTuple):
    """One look: when, and how many jobs were in progress as processes, were leased, and were over."""

    at: float
    running: int
    leased: int
    over: int


class Round(NamedTuple):
    """Looks between the ramp-up and the last claim, and the pool's memory in MB at its highest."""

    steady: list[Sample]
    megabytes: float


def measure(extent: Extent) -> list[Figure]:
    """Shares of the slots, and memory; nothing where there is no /proc."""
    if not processes.AVAILABLE:
        return []
    slots, jobs, rounds = extent.pick((100, 500, 1), (1000, 5000, 5))
    with Sandbox() as sandbox, sandbox.pool(slots) as pid:
        pool = processes.family(pid)
        before = processes.pss_megabytes(pool)
        done = [_run(sandbox, pid, pool, slots, jobs) for _ in range(rounds)]

    def percent(counts: Sequence[int]) -> float:
        return statistics.fmean(counts) / slots * 100

    running = [percent([look.running for look in each.steady]) for each in done]
    lowest = [min(look.running for look in each.steady) / slots * 100 for each in done]
    leased = [percent([look.leased for look in each.steady]) for each in done]
    peaks = [each.megabytes for each in done]
    return [
        Figure.median(f"of {slots:,} slots, those whose job runs: mean", running, "%", target="busy-slots"),
        Figure.median(f"of {slots:,} slots, those whose job runs: worst moment", lowest, "%"),
        Figure.median(f"of {slots:,} slots, those that have a job: mean", leased, "%"),
        Figure.median(f"memory of the pool's {len(pool)} processes, idle", [before], "MB"),
        Figure.median(f"memory of the pool's {len(pool)} processes, peak", peaks, "MB", target="large-pool-memory"),
    ]


def _run(sandbox: Sandbox, pid: int, pool: Sequence[int], slots: int, jobs: int) -> Round:
    ids = set(sandbox.manager.enqueue_many([b"sleep 1"] * jobs))
    runners = [member for member in pool if member != pid]
    samples: list[Sample] = []
    megabytes = 0.0
    while sandbox.unfinished():
        counts = sandbox.storage.run(overview()).jobs
        over = jobs - counts[JobState.PENDING] - counts[JobState.PROCESSING]
        running = sum(map(processes.child_count, runners))
        samples.append(Sample(time.time(), running, counts[JobState.PROCESSING], over))
        if len(samples) % MEMORY_EVERY == 1:
            megabytes = max(megabytes, processes.pss_megabytes(pool))
        time.sleep(SAMPLE_SECONDS)
    claims = [job.started_at or 0.0 for job in sandbox.completed() if job.id in ids]
    if len(claims) != jobs:
        raise AssertionError(f"{len(claims)} of {jobs} jobs completed")
    return Round(steady(samples, slots, max(claims)), megabytes)


def steady(samples: Sequence[Sample], slots: int, last_claim: float) -> list[Sample]:
    """The looks from the one that finds as many jobs started as there are slots, up to the last claim."""
    return [look for look in samples if look.running + look.over >= slots and look.at <= last_claim]
