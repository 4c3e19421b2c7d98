"""What processes take, from /proc. Linux only."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

AVAILABLE = Path("/proc/self/smaps_rollup").exists()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children_of = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _stat(int(folder.name))
        except OSError:
            continue
        children_of[int(fields[1])].append(int(folder.name))
    members = [pid]
    for member in members:  # grows while we go
        members += children_of[member]
    return members


def child_count(pid: int) -> int:
    """How many children a process with one thread has: one small file is read, however many there are."""
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split())


def cpu_seconds(pids: Iterable[int]) -> float:
    """Time on a processor that these processes have had, in their own code and in the system's."""
    ticks = sum(sum(map(int, _stat(pid)[11:13])) for pid in pids)
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_megabytes(pids: Iterable[int]) -> float:
    """Memory of these processes as the sum of their proportional shares: shared pages count once."""
    return sum(map(_pss_bytes, pids)) / 1e6


def _stat(pid: int) -> list[bytes]:
    """The fields after the process's name."""
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()


def _pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
