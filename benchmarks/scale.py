"""Whether many jobs are slower than few: each operation with both, in turns, on one server.

200,000 jobs against 200; in the full run, 1,000,000 against 1,000.

Two namespaces, one with few jobs and one with many: half of them pending, the rest completed, but for some that are
dead. The calls of `RedisStorage` are timed, one after the other, so nothing but the operation itself
is in the figure. The server syncs once a second here: a sync for each call would cost the same with both, and hide
what is looked for. Five rounds; each counts with the median of its calls.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from benchmarks.extent import Extent
from benchmarks.figures import Figure, ratios
from benchmarks.sandbox import Sandbox
from queuectl.manager.queue_manager import QueueManager
from queuectl.manager.selection import resolve
from queuectl.model.job import Lease
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import COMPLETED, DEAD, Outcome
from queuectl.storage import RedisStorage
from queuectl.storage.calls import leases
from queuectl.storage.scripts import CHUNK

TITLE = "Many jobs against few: one call of each"

Operations = dict[str, Callable[[], object]]

PAGE = 50
DEAD_ONE_IN = 20


def measure(extent: Extent) -> list[Figure]:
    """Microseconds a call, and the ratio of many to few."""
    few, many, rounds, turns = extent.pick((200, 2000, 2, 10), (200, 200_000, 5, 100), (1000, 1_000_000, 5, 100))
    with Sandbox("everysec") as sandbox:
        times = timed(queues(sandbox, (few, many)), rounds, turns)
    figures = []
    for name in dict.fromkeys(name for name, _ in times):
        figures += [
            Figure.median(f"{name}, {few:,} jobs", times[name, few], "us"),
            Figure.median(f"{name}, {many:,} jobs", times[name, many], "us"),
            Figure.median(f"{name}: many of few", ratios(times[name, many], times[name, few]), "x", "scale"),
        ]
    return figures


def queues(sandbox: Sandbox, sizes: Sequence[int]) -> dict[int, Operations]:
    """A queue for each number of jobs, and what can be done with it."""
    return {size: _operations(_filled(sandbox.in_namespace(f"jobs-{size}"), size)) for size in sizes}


def timed(acts: Mapping[int, Operations], rounds: int, turns: int) -> dict[tuple[str, int], list[float]]:
    """Microseconds of each operation with each number of jobs: the median of its turns, round by round."""
    times: dict[tuple[str, int], list[float]] = defaultdict(list)
    sizes = list(acts)
    for _ in range(rounds):
        for name in acts[sizes[0]]:
            samples: dict[int, list[float]] = defaultdict(list)
            for turn in range(turns):
                for size in sizes[:: -1 if turn % 2 else 1]:
                    begun = time.perf_counter()
                    acts[size][name]()
                    samples[size].append((time.perf_counter() - begun) * 1e6)
            for size in sizes:
                times[name, size].append(statistics.median(samples[size]))
    return times


def _operations(storage: RedisStorage) -> Operations:
    """What is measured. As many jobs are added as are claimed and finished, so the number of pending ones stays."""
    manager = QueueManager(storage)
    last = manager.page(limit=1).jobs[0].id
    held: list[Lease] = []
    return {
        "status": manager.status,
        f"list, first {PAGE}": lambda: manager.page(limit=PAGE),
        f"list --state pending, first {PAGE}": lambda: manager.page([JobState.PENDING], PAGE),
        "look up a short id": lambda: resolve(storage, last[:8]),
        "enqueue": lambda: manager.enqueue(b"echo hello"),
        "claim": lambda: held.extend(storage.run(leases.claim("bench", lease_seconds=3600, want=1)).leases),
        "finish": lambda: storage.run(leases.finish("bench", [(held.pop(), Outcome(COMPLETED, 0), "bench-1")])),
    }


def _filled(storage: RedisStorage, size: int) -> RedisStorage:
    """A queue with so many jobs in it."""
    QueueManager(storage).enqueue_many([f"echo job number {number}".encode() for number in range(size)])
    left = size // 2
    while left > 0:
        claimed = storage.run(leases.claim("bench", lease_seconds=3600, want=min(left, CHUNK))).leases
        verdicts = [DEAD if number % DEAD_ONE_IN == 0 else COMPLETED for number in range(len(claimed))]
        results = [
            (lease, Outcome(verdict, 0), "bench-1") for lease, verdict in zip(claimed, verdicts, strict=True)
        ]
        storage.run(leases.finish("bench", results))
        left -= len(claimed)
    return storage
