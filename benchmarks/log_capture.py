"""One job that writes 1 GB to its output, against `sh -c 'COMMAND > FILE'` on the same disk. Linux only.

The command is `head -c 1000000000 /dev/zero`, which writes as fast as anything can. The job's time is that from its
claim to its result, both stamped by the server. All of the output goes through the log; of so much, the first and
the last 8 MiB are kept, and a line between them says how much is missing: that and the sizes are checked. The
memory of the pool (PSS) is taken before, and 50 times a second while the job runs: the highest tells its growth.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.extent import Extent
from benchmarks.figures import Figure, ratios
from benchmarks.sandbox import Sandbox
from queuectl.logs.layout import DEFAULT_LIMIT_BYTES, gap_line

TITLE = "Log capture: one job with much output"

SAMPLE_SECONDS = 0.02


def measure(extent: Extent) -> list[Figure]:
    """Seconds, their ratio, and megabytes; nothing where there is no /proc."""
    if not processes.AVAILABLE:
        return []
    size, rounds = extent.pick((50_000_000, 2), (1_000_000_000, 5))
    command = f"head -c {size} /dev/zero"
    direct, captured, growth = [], [], []
    with Sandbox() as sandbox, sandbox.pool(1) as pid:
        pool = processes.family(pid)
        for _ in range(rounds):
            direct.append(_direct(command, sandbox.folder / "out", size))
            before = processes.pss_megabytes(pool)
            seconds, peak = _captured(command, sandbox, pool)
            captured.append(seconds)
            growth.append(peak - before)
            _check_log(sandbox.logs, size)
    label = f"{size / 1e6:,.0f} MB"
    return [
        Figure.median(f"{label} to a file", direct, "s"),
        Figure.median(f"{label} to a log, {DEFAULT_LIMIT_BYTES >> 20} MiB kept", captured, "s"),
        Figure.median("the log's time of the file's", ratios(captured, direct), "x", target="log-capture"),
        Figure.median("growth of the pool's memory meanwhile", growth, "MB"),
        Figure.median("memory of the pool before", [before], "MB"),
    ]


def _direct(command: str, file: Path, size: int) -> float:
    begun = time.perf_counter()
    subprocess.run(["sh", "-c", f"{command} > {shlex.quote(str(file))}"], check=True)
    seconds = time.perf_counter() - begun
    if file.stat().st_size != size:
        raise AssertionError(f"{file.stat().st_size} of {size} bytes were written")
    file.unlink()
    return seconds


def _captured(command: str, sandbox: Sandbox, pool: list[int]) -> tuple[float, float]:
    """Seconds that the job took, and the pool's memory in MB at its highest."""
    job_id = sandbox.manager.enqueue(command.encode())
    peak = 0.0
    while sandbox.unfinished():
        peak = max(peak, processes.pss_megabytes(pool))
        time.sleep(SAMPLE_SECONDS)
    job = sandbox.manager.job(job_id)
    if job.exit_code != 0 or job.started_at is None or job.finished_at is None:
        raise AssertionError(f"the job ended as {job.state}: {job.reason}")
    return job.finished_at - job.started_at, peak


def _check_log(logs: Path, size: int) -> None:
    """There is one log, and it holds what it should; it is removed."""
    (file,) = (path for path in logs.rglob("*") if path.is_file())
    content = file.read_bytes()
    gap = gap_line(size - DEFAULT_LIMIT_BYTES)
    if gap not in content or len(content) != DEFAULT_LIMIT_BYTES + len(gap):
        raise AssertionError(f"the log of {size} bytes is not as it should be: {len(content)} bytes")
    file.unlink()
