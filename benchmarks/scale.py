"""Whether 200,000 jobs are slower than 200: each operation with both, in turns, on one server.

Two namespaces, one with few jobs and one with many: half of them pending, the rest completed, but for some that are
dead. The calls of `RedisStorage` are timed, one after the other, so nothing but the operation itself
is in the figure. The server syncs once a second here: a sync for each call would cost the same with both, and hide
what is looked for. Five rounds; each counts with the median of its calls.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable

from benchmarks.figures import Figure, ratios
from benchmarks.sandbox import Sandbox
from queuectl.model.job import COMPLETED, DEAD, Outcome
from queuectl.model.lifecycle import JobState
from queuectl.queue_manager import QueueManager
from queuectl.storage import RedisStorage
from queuectl.storage.scripts import CHUNK

TITLE = "Many jobs against few: one call of each"

PAGE = 50
DEAD_ONE_IN = 20


def measure(*, quick: bool) -> list[Figure]:
    """Microseconds a call, and the ratio of many to few."""
    few, many, rounds, turns = (200, 2000, 2, 10) if quick else (200, 200_000, 5, 100)
    times: dict[tuple[str, int], list[float]] = defaultdict(list)
    with Sandbox("everysec") as sandbox:
        acts = {size: _acts(_filled(sandbox.in_namespace(f"jobs-{size}"), size)) for size in (few, many)}
        for _ in range(rounds):
            for name in acts[few]:
                samples: dict[int, list[float]] = defaultdict(list)
                for turn in range(turns):
                    for size in (few, many) if turn % 2 else (many, few):
                        begun = time.perf_counter()
                        acts[size][name]()
                        samples[size].append((time.perf_counter() - begun) * 1e6)
                for size in (few, many):
                    times[name, size].append(statistics.median(samples[size]))
    figures = []
    for name in acts[few]:
        figures += [
            Figure.median(f"{name}, {few:,} jobs", times[name, few], "us"),
            Figure.median(f"{name}, {many:,} jobs", times[name, many], "us"),
            Figure.median(f"{name}: many of few", ratios(times[name, many], times[name, few]), "x"),
        ]
    return figures


def _acts(storage: RedisStorage) -> dict[str, Callable[[], object]]:
    manager = QueueManager(storage)
    last = manager.page(limit=1).jobs[0].id

    def work() -> None:
        (lease,) = storage.claim("bench", "host", lease_seconds=3600, want=1).leases
        storage.finish([(lease, Outcome(COMPLETED, 0), "bench-1")])

    # One job is added and one is finished in each turn, so the number of pending ones stays.
    return {
        "status": manager.status,
        f"list, first {PAGE}": lambda: manager.page(limit=PAGE),
        f"list --state pending, first {PAGE}": lambda: manager.page([JobState.PENDING], PAGE),
        "look up a short id": lambda: manager.resolve(last[:8]),
        "enqueue": lambda: manager.enqueue(b"echo hello"),
        "claim and finish": work,
    }


def _filled(storage: RedisStorage, size: int) -> RedisStorage:
    for _ in QueueManager(storage).enqueue_many([f"echo job number {number}".encode() for number in range(size)]):
        pass
    left = size // 2
    while left > 0:
        leases = storage.claim("bench", "host", lease_seconds=3600, want=min(left, CHUNK)).leases
        verdicts = [DEAD if number % DEAD_ONE_IN == 0 else COMPLETED for number in range(len(leases))]
        results = [(lease, Outcome(verdict, 0), "bench-1") for lease, verdict in zip(leases, verdicts, strict=True)]
        storage.finish(results)
        left -= len(leases)
    return storage
