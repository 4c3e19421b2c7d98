"""What a pool costs that has nothing to do: 8 workers over 30 seconds, five times. Linux only.

CPU time of the pool's processes and of the server, from /proc; commands from the server's MONITOR, those that the
pool sends and those inside of scripts apart; memory as the sum of the processes' proportional shares (PSS).
"""

from __future__ import annotations

import time

from benchmarks import processes
from benchmarks.command_count import CommandCount, Monitor
from benchmarks.extent import Extent
from benchmarks.figures import Figure
from benchmarks.sandbox import Sandbox

TITLE = "An idle pool of 8 workers"

WORKERS = 8


def measure(extent: Extent) -> list[Figure]:
    """CPU, commands and memory; nothing where there is no /proc."""
    if not processes.AVAILABLE:
        return []
    seconds, rounds = extent.pick((1.0, 2), (30.0, 5))
    pool_cpu, server_cpu, memory = [], [], []
    counts: list[CommandCount] = []
    with Sandbox() as sandbox, sandbox.pool(WORKERS) as pid, Monitor(sandbox) as monitor:
        server = [int(sandbox.info("server")["process_id"])]
        time.sleep(min(seconds, 2.0))  # what starting it has stirred up settles
        for _ in range(rounds):
            pool = processes.family(pid)
            monitor.take()
            before = processes.cpu_seconds(pool), processes.cpu_seconds(server)
            time.sleep(seconds)
            pool_cpu.append((processes.cpu_seconds(pool) - before[0]) / seconds * 100)
            server_cpu.append((processes.cpu_seconds(server) - before[1]) / seconds * 100)
            counts.append(monitor.take())
            memory.append(processes.pss_megabytes(pool))
    sent = [count.sent / seconds for count in counts]
    inside = [count.in_scripts / seconds for count in counts]
    return [
        Figure.median(f"CPU of the pool's {len(pool)} processes", pool_cpu, "% of a core", "idle-cpu"),
        Figure.median("CPU of the server", server_cpu, "% of a core"),
        Figure.median("commands that the pool sends", sent, "a second", "idle-commands"),
        Figure.median("commands inside of scripts", inside, "a second"),
        Figure.median(f"memory of the pool's {len(pool)} processes", memory, "MB", "idle-memory"),
    ]
