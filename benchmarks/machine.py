"""On what the figures were measured."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.folders import ROOT
from queuectl.server import binary

SYNCS = 50


def describe() -> dict[str, str]:
    """Name to value, in words."""
    server = binary.find()
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processors": f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}"
        f" x {_processor()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "server": f"{server.name} {server.version}",
        "disk": f"a write of 4 KiB and its fsync take {_sync_milliseconds():.2f} ms (median of {SYNCS})",
        "load": f"{os.getloadavg()[0]:.1f} processes wanted a processor in the last minute, before this began",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _sync_milliseconds() -> float:
    times = []
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=ROOT / "build", buffering=0) as file:
        for _ in range(SYNCS):
            begun = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000
