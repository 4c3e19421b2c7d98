"""What a job costs its server: processor time for enqueue, claim and result, by the server's own account.

A private `redis-server` if there is one on PATH, else the embedded server's binary, with an append-only file that
is synced every second. In bulk: 1,000 jobs a call are added, and claims and results go 500 a call. One at a time:
each exchange has one result and a claim of one, as a runner sends them for jobs that take a while. An empty claim
and a PING tell what a round trip alone costs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.extent import Extent
from benchmarks.figures import Figure
from benchmarks.sandbox import wait_for
from queuectl.model.job import Lease
from queuectl.model.outcome import COMPLETED, Outcome
from queuectl.server import binary, wire
from queuectl.server.wire import Answer
from queuectl.storage import RedisStorage
from queuectl.storage.calls import leases
from queuectl.storage.calls.jobs import NewJob, enqueue
from queuectl.storage.scripts import CHUNK, command

TITLE = "Processor time of the server for one job"

IN_BULK = "in bulk: enqueue, claim and result"
ONE_AT_A_TIME = "one at a time: claim and result"

RUNNER = "bench-3fa2c1"
BATCH = 1_000
SHARED = {"queue": "default", "cwd": "/srv/data/project"}
VARIABLES = {b"PATH": b"/usr/local/bin:/usr/bin:/bin", b"LANG": b"C.UTF-8"}


def measure(extent: Extent) -> list[Figure]:
    """Microseconds for each job."""
    jobs, rounds = extent.pick((1_000, 1), (4_000, 7))
    times: dict[str, list[float]] = {}
    with _server() as storage:
        share = _Share(storage, jobs)
        for _ in range(rounds):
            added = share.of(share.add)
            times.setdefault(IN_BULK, []).append(added + share.of(share.drain))
            added = share.of(share.add)
            times.setdefault(ONE_AT_A_TIME, []).append(share.of(share.drain_singly))
            times.setdefault("enqueue in bulk alone", []).append(added)
            times.setdefault("an empty claim", []).append(share.of(share.claim_nothing))
            times.setdefault("PING", []).append(share.of(share.ping))
    targets = {
        "in bulk: enqueue, claim and result": "server-bulk",
        "one at a time: claim and result": "server-single",
    }
    return [Figure.median(name, values, "µs", targets.get(name, "")) for name, values in times.items()]


class _Share:
    """The work whose cost is measured, ``jobs`` at a time."""

    def __init__(self, storage: RedisStorage, jobs: int) -> None:
        self._storage = storage
        self._jobs = jobs

    def of(self, work: Callable[[], None]) -> float:
        """The server's microseconds for each job."""
        before = self._cpu_seconds()
        work()
        return (self._cpu_seconds() - before) / self._jobs * 1e6

    def add(self) -> None:
        for _ in range(self._jobs // BATCH):
            jobs = [NewJob(os.urandom(8).hex(), b"echo 1 >> /tmp/out") for _ in range(BATCH)]
            self._storage.run(enqueue(jobs, shared=SHARED, variables=VARIABLES))

    def drain(self) -> None:
        for _ in range(0, self._jobs, CHUNK):
            claimed = self._storage.run(leases.claim(RUNNER, 30, CHUNK)).leases
            self._storage.run(leases.finish(RUNNER, [_completed(lease) for lease in claimed]))

    def drain_singly(self) -> None:
        done: list[Lease] = []
        for _ in range(self._jobs + 1):
            claim = leases.claim(RUNNER, 30, 1)
            results = [leases.finish(RUNNER, [_completed(lease)]) for lease in done]
            commands = [command(call, self._storage.keys.namespace, cached=True) for call in (*results, claim)]
            done = claim.parse(self._storage.exchange(commands)[-1]).leases

    def claim_nothing(self) -> None:
        for _ in range(self._jobs):
            self._storage.run(leases.claim(RUNNER, 30, 1))

    def ping(self) -> None:
        for _ in range(self._jobs):
            self._storage.exchange([("PING",)])

    def _cpu_seconds(self) -> float:
        (info,) = self._storage.exchange([("INFO", "cpu")])
        facts = dict(line.split(":") for line in info.decode().splitlines() if ":" in line)
        return float(facts["used_cpu_sys"]) + float(facts["used_cpu_user"])


def _completed(lease: Lease) -> tuple[Lease, Outcome, str]:
    return lease, Outcome(COMPLETED, 0, duration=0.01), f"{RUNNER}-1"


@contextmanager
def _server() -> Iterator[RedisStorage]:
    folder = Path(tempfile.mkdtemp(prefix="qctl-"))
    socket = str(folder / "s")
    program = shutil.which("redis-server") or binary.find().path
    options = {"port": "0", "unixsocket": socket, "save": "", "appendonly": "yes", "dir": str(folder)}
    words = [program, *(part for name, value in options.items() for part in (f"--{name}", value))]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: wire.probe(socket) is Answer.READY)
        storage = RedisStorage(f"unix://{socket}", "bench")
        yield storage
        storage.close()
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)
