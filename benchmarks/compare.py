"""Another version of queuectl beside this one, in turns: `python -m benchmarks.compare --rev f902f6f`.

Each round runs the same commands with both versions, one after the other, on servers and folders of their own, so
that a machine whose speed drifts is fair to both. Only documented commands are used: any version can take part. The
ratio of each round counts; the median and the range are shown. Below 1 is faster, or less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import redis

from benchmarks.folders import ROOT, discard

JOBS = 2_000
STARTS = 20
PICKUPS = 40
IDLE_SECONDS = 45


class Version:
    """One checkout, with a server of its own."""

    def __init__(self, name: str, source: Path, folder: Path) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "config.toml").touch()
        self.environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("QUEUECTL_")},
            "PYTHONPATH": str(source / "src"),
            "QUEUECTL_HOME": str(folder / "h"),
            "QUEUECTL_CONFIG": str(folder / "config.toml"),
            "QUEUECTL_ALLOW_ROOT": "yes",
        }

    def run(self, *words: str, stdin: bytes = b"") -> bytes:
        """Run `queuectl` of this version; gives what it printed."""
        command = [sys.executable, "-m", "queuectl", *words]
        return subprocess.run(
            command, env=self.environ, cwd=self.folder, input=stdin, capture_output=True, check=True,
        ).stdout  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start `queuectl` of this version."""
        command = [sys.executable, "-m", "queuectl", *words]
        return subprocess.Popen(
            command, env=self.environ, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def server(self) -> redis.Redis:
        """A client of its server."""
        self.run("server", "start")
        socket = self.run("server", "path").decode().rstrip("\n")
        return redis.Redis(unix_socket_path=socket, decode_responses=True)

    def stop(self) -> None:
        """Stop its server."""
        subprocess.run(
            [sys.executable, "-m", "queuectl", "server", "stop", "--force"],
            env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip


def _cpu(server: redis.Redis) -> float:
    facts = server.info("cpu")
    return float(facts["used_cpu_sys"] + facts["used_cpu_user"])


def _drain(workers: int) -> Callable[[Version], dict[str, float]]:
    def measure(version: Version) -> dict[str, float]:
        out = version.folder / "out"
        out.unlink(missing_ok=True)
        lines = "".join(f"echo {number} >> {out}\n" for number in range(JOBS)).encode()
        server = version.server()
        before, begun = _cpu(server), time.perf_counter()
        version.run("enqueue", "--from", "-", stdin=lines)
        added = time.perf_counter()
        version.run("worker", "start", "--count", str(workers), "--burst", "--quiet")
        ended = time.perf_counter()
        assert sorted(map(int, out.read_text().split())) == list(range(JOBS)), "every job runs once"
        return {
            f"drain of {JOBS:,} no-op jobs, {workers} workers": ended - added,
            f"the same: server's processor time a job, {workers} workers": (_cpu(server) - before) / JOBS,
            f"enqueue of {JOBS:,} lines": added - begun,
        }

    return measure


def _single(version: Version) -> dict[str, float]:
    """Jobs that are too long to be claimed ahead: each costs a claim and a result of its own."""
    server = version.server()
    before = _cpu(server)
    version.run("enqueue", "--from", "-", stdin=b"sleep 0.2\n" * 200)
    version.run("worker", "start", "--count", "8", "--burst", "--quiet")
    return {"server's processor time a job, one at a time": (_cpu(server) - before) / 200}


def _enqueue(version: Version) -> dict[str, float]:
    version.run("enqueue", "true")
    begun = time.perf_counter()
    for _ in range(STARTS):
        version.run("enqueue", "true")
    took = (time.perf_counter() - begun) / STARTS
    version.run("queue", "clear")
    return {"one `enqueue` process": took}


def _pickup_and_idle(version: Version) -> dict[str, float]:
    fifo = version.folder / "fifo"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR)
    pool = version.start("worker", "start", "--count", "2", "--quiet")
    server = version.server()
    while not server.exists("queuectl:workers"):
        time.sleep(0.02)
    times = []
    for _ in range(PICKUPS):
        begun = time.perf_counter()
        version.run("enqueue", f"echo >{fifo}")
        os.read(reader, 1)
        times.append(time.perf_counter() - begun)
        time.sleep(0.02)
    before = server.info("stats")["total_commands_processed"]
    time.sleep(IDLE_SECONDS)
    commands = server.info("stats")["total_commands_processed"] - before
    memory = _memory(pool.pid)
    pool.terminate()
    pool.wait()
    os.close(reader)
    return {
        "pickup, process included": statistics.median(times),
        f"commands of an idle pool, {IDLE_SECONDS} s": commands,
        "memory of an idle pool": memory,
    }


def _memory(pid: int) -> float:
    """Proportional memory of a process and its descendants, in MiB."""
    total, waiting = 0.0, [pid]
    while waiting:
        each = waiting.pop()
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        total += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]) / 1024
        waiting += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
    return total


def _pending_memory(version: Version) -> dict[str, float]:
    server = version.server()
    before = server.info("memory")["used_memory"]
    version.run(
        "enqueue", "--from", "-", stdin=b"python train.py --data /srv/data/run --seed 0000000000000001\n" * 5_000
    )
    after = server.info("memory")["used_memory"]
    version.run("queue", "clear")
    return {"memory of a pending job": (after - before) / 5_000}


MEASURES: dict[str, Callable[[Version], dict[str, float]]] = {
    "drain-2": _drain(2),
    "drain-4": _drain(4),
    "single": _single,
    "enqueue": _enqueue,
    "pickup": _pickup_and_idle,
    "memory": _pending_memory,
}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--rev", required=True, help="the other version: any commit of this repository")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("measures", nargs="*", choices=[*MEASURES, []], default=[])
    options = parser.parse_args()
    build = ROOT / "build" / f"compare-{os.getpid()}"
    other = build / "source"
    subprocess.run(["git", "worktree", "add", "--detach", str(other), options.rev], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        versions = [Version("this", ROOT, build / "a"), Version(options.rev, other, build / "b")]
        for name in options.measures or MEASURES:
            _compare(MEASURES[name], versions, options.rounds)
        for version in versions:
            version.stop()
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(other)], cwd=ROOT, check=False)
        discard(build)


def _compare(measure: Callable[[Version], dict[str, float]], versions: list[Version], rounds: int) -> None:
    seen: dict[str, tuple[list[float], list[float]]] = {}
    for number in range(rounds + 1):
        order = (0, 1) if number % 2 else (1, 0)
        for at in order:
            for name, value in measure(versions[at]).items():
                if number:  # the first round warms up
                    seen.setdefault(name, ([], []))[at].append(value)
    for name, (ours, theirs) in seen.items():
        ratios = [a / b for a, b in zip(ours, theirs, strict=True) if b]
        if ratios:
            spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
            medians = f"{statistics.median(ours):.6g} against {statistics.median(theirs):.6g}"
            print(f"{name}: {statistics.median(ratios):.3f} ({spread}); {medians}", flush=True)


if __name__ == "__main__":
    main()
