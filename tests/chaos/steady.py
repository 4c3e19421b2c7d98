"""A mixed load for a long time: checks that memory of workers and server, and the number of keys, stay flat.

`make chaos ARGS="--minutes 60"`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import cli
from queuectl.manager.queue_manager import QueueManager
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview

from .kinds import KINDS
from .run import in_folder, sandbox
from .system import System

RETENTION_SECONDS = 20
"""Finished jobs leave soon, so that their number can be flat."""

ROUND_SECONDS = 1.0
"""In each, one job of every kind is added, or as many as its share says: what is kept then hardly varies."""

SAMPLES = 600
"""So many that the saw's teeth, from one housekeeping to the next, are seen at all heights."""

GROWTH = {"pools_pss_kib": 1.05, "server_memory_bytes": 1.10, "keys": 1.15, "logs": 1.15, "descriptors": 1.05}
"""How much larger each may be, in the median, in the last quarter than in the second: the first one warms up."""


def sample(system: System, queue: RedisStorage) -> dict[str, float]:
    """The figures that must stay flat."""
    ours = [pid for pool in system.pools() for pid in system.family(pool)] + list(system.guardians())
    memory, keys = queue.exchange([("INFO", "memory"), ("DBSIZE",)])
    used = next(line for line in memory.decode().splitlines() if line.startswith("used_memory:"))
    return {
        "pools_pss_kib": sum(map(_pss_kib, ours)),
        "server_memory_bytes": int(used.partition(":")[2]),
        "keys": keys,
        "logs": sum(1 for _ in (system.home / "logs").glob("*/*")),
        "descriptors": sum(_descriptors(pid) for pid in ours),
    }


def perform(minutes: float, folder: Path) -> dict[str, Any]:
    """Keep pools busy for this long."""
    seconds = minutes * 60
    cli.run("config", "set", "--completed-retention", str(RETENTION_SECONDS))
    cli.run("config", "set", "--dead-retention", str(RETENTION_SECONDS))
    system = System(folder)
    system.keep_up()
    queue = RedisStorage()
    samples: list[dict[str, float]] = []
    began, rounds, added = time.monotonic(), 0, 0
    next_sample = seconds / SAMPLES
    while (now := time.monotonic() - began) < seconds:
        rounds += 1
        for kind in KINDS.values():
            added += len(QueueManager(queue).enqueue_many([kind.command.encode()] * kind.share, kind.options))
        if now >= next_sample:
            samples.append({"at": round(now, 1), **sample(system, queue)})
            next_sample += seconds / SAMPLES
        time.sleep(max(0.0, began + rounds * ROUND_SECONDS - time.monotonic()))
    states = {state.value: count for state, count in queue.run(overview()).jobs.items()}
    queue.close()
    system.drain(120)
    system.close()
    return {"minutes": minutes, "jobs": added, "states": states, "growth": growth(samples), "samples": samples}


def growth(samples: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return each figure's median in the second and the last quarter, and their ratio."""
    quarter = len(samples) // 4
    found = {}
    for name, most in GROWTH.items():
        then = median(entry[name] for entry in samples[quarter : 2 * quarter])
        last = median(entry[name] for entry in samples[-quarter:])
        found[name] = {"second_quarter": then, "last_quarter": last, "ratio": round(last / then, 3), "most": most}
    return found


def _pss_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])


def _descriptors(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def report(minutes: float) -> dict[str, Any]:
    """Run the load and print the results; return what grew."""
    with tempfile.TemporaryDirectory(prefix="steady-") as folder, sandbox(), in_folder(Path(folder)):
        found = perform(minutes, Path(folder))
    found["broken"] = [name for name, figures in found["growth"].items() if figures["ratio"] > figures["most"]]
    print(f"{found['jobs']} jobs in {minutes:g} minutes; at the end {found['states']}")
    for name, figures in found["growth"].items():
        print(f"{name}: {figures['second_quarter']:g}, then {figures['last_quarter']:g} ({figures['ratio']:g})")
    print(f"grown: {', '.join(found['broken']) or 'nothing'}")
    return found
