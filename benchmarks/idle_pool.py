"""What a pool costs that has nothing to do: 8 workers over 10 seconds, five times. Linux only.

CPU time of the pool's processes and of the server, from /proc; commands that the server ran, from its own count;
memory as the sum of the processes' proportional shares (PSS), so that shared pages count once.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.sandbox import Sandbox

TITLE = "An idle pool of 8 workers"

WORKERS = 8


def measure(*, quick: bool) -> list[Figure]:
    """CPU, commands and memory; nothing where there is no /proc."""
    if not Path("/proc/self/smaps_rollup").exists():
        return []
    seconds, rounds = (1.0, 2) if quick else (10.0, 5)
    pool_cpu, server_cpu, commands, memory = [], [], [], []
    with Sandbox() as sandbox, sandbox.pool(WORKERS) as pid:
        server = int(sandbox.info("server")["process_id"])
        time.sleep(seconds / 5)  # what starting it has stirred up settles
        for _ in range(rounds):
            pool = _family(pid)
            before = sum(map(_cpu_seconds, pool)), _cpu_seconds(server), _commands(sandbox)
            time.sleep(seconds)
            after = sum(map(_cpu_seconds, pool)), _cpu_seconds(server), _commands(sandbox)
            pool_cpu.append((after[0] - before[0]) / seconds * 100)
            server_cpu.append((after[1] - before[1]) / seconds * 100)
            commands.append((after[2] - before[2] - 1) / seconds)  # one was our own question
            memory.append(sum(map(_pss_bytes, pool)) / 1e6)
    return [
        Figure.median(f"CPU of the pool's {len(pool)} processes", pool_cpu, "% of a core"),
        Figure.median("CPU of the server", server_cpu, "% of a core"),
        Figure.median("commands to the server", commands, "a second"),
        Figure.median(f"memory of the pool's {len(pool)} processes", memory, "MB"),
    ]


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _stat(int(folder.name))
        except OSError:
            continue
        children[int(fields[1])].append(int(folder.name))
    family = [pid]
    for member in family:  # grows while we go
        family += children[member]
    return family


def _stat(pid: int) -> list[bytes]:
    """The fields after the process's name."""
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()


def _cpu_seconds(pid: int) -> float:
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _commands(sandbox: Sandbox) -> int:
    return int(sandbox.info("stats")["total_commands_processed"])


def _pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
