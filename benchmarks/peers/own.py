"""queuectl itself, by the same measure as its peers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import Peer
from benchmarks.sandbox import PROGRAM, Sandbox
from queuectl import __version__


class Queuectl(Peer):
    """``appendfsync`` as the embedded server knows it; `always` is queuectl's default."""

    keeps = "job, output, status and times, for 7 days; jobs of a dead worker run again"

    def __init__(self, folder: Path, appendfsync: str) -> None:
        super().__init__(folder)
        self.name = f"queuectl, fsync {appendfsync}"
        self.configuration = f"QUEUECTL_APPENDFSYNC={appendfsync} queuectl worker start --count WORKERS"
        self._sandbox = Sandbox(appendfsync)

    def __enter__(self) -> Peer:
        self._sandbox.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._sandbox.__exit__(*raised)

    def install(self) -> str:
        return __version__

    def enqueue(self, commands: Sequence[str]) -> float:
        lines = [command.encode() for command in commands]
        begun = time.perf_counter()
        self._sandbox.manager.enqueue_many(lines)
        return time.perf_counter() - begun

    def start(self, workers: int) -> subprocess.Popen[bytes]:
        return self.spawn([PROGRAM, "worker", "start", "--count", str(workers)], self._sandbox.environ)

    def clear(self) -> None:
        self._sandbox.empty()
