"""A private queue for one measure: state folder, server and all, removed at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.folders import ROOT, discard
from queuectl import settings
from queuectl.manager.queue_manager import QueueManager
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.server.embedded import EmbeddedServer
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from queuectl.storage.scripts import CHUNK

PROGRAM = str(Path(sys.executable).with_name("queuectl"))
LONGEST_WAIT_SECONDS = 120.0


class Sandbox:
    """A context manager. ``appendfsync`` as the embedded server knows it; `always` is queuectl's default."""

    def __init__(self, appendfsync: str = "always") -> None:
        self._appendfsync = appendfsync

    def __enter__(self) -> Sandbox:
        build = ROOT / "build"
        build.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=build))
        configuration = self.folder / "config.toml"
        configuration.touch()
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")},
            "QUEUECTL_HOME": str(self.folder / "home"),
            "QUEUECTL_CONFIG": str(configuration),
            "QUEUECTL_ALLOW_ROOT": "yes",
            "QUEUECTL_APPENDFSYNC": self._appendfsync,
        }
        self.logs = Path(self.environ["QUEUECTL_HOME"]) / "logs"
        self.storage = self.in_namespace("queuectl")
        self.manager = QueueManager(self.storage)
        self.storage.exchange([("PING",)])  # starts the server
        return self

    def __exit__(self, *_: object) -> None:
        self.storage.close()
        EmbeddedServer(self.environ["QUEUECTL_HOME"]).stop()
        discard(self.folder)

    def in_namespace(self, namespace: str) -> RedisStorage:
        """Another queue on the same server."""
        return RedisStorage(settings=settings.load(namespace=namespace, environ=self.environ))

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run `queuectl` and wait for it; gives its standard output."""
        command = [PROGRAM, *arguments]
        ended = subprocess.run(command, env=self.environ, input=stdin, stdout=subprocess.PIPE, check=True)
        return ended.stdout

    @contextlib.contextmanager
    def pool(self, workers: int) -> Iterator[int]:
        """Workers that are up and idle; gives the pid of their process."""
        command = [PROGRAM, "worker", "start", "--count", str(workers)]
        process = subprocess.Popen(command, env=self.environ, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: len(self.manager.status().workers) == workers)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(LONGEST_WAIT_SECONDS)

    def empty(self) -> None:
        """Remove all jobs and logs, and let the journal begin anew: each run starts from the same point."""
        discard(self.logs)
        self.storage.exchange([("FLUSHALL",)])
        self.settle()
        self.storage.exchange([("BGREWRITEAOF",)])
        self.settle()

    def settle(self) -> None:
        """Wait until the server doesn't rewrite its journal."""
        wait_for(lambda: self.info("persistence")["aof_rewrite_in_progress"] == "0")

    def info(self, section: str) -> dict[str, str]:
        """What the server says about itself."""
        text = self.storage.exchange([("INFO", section)])[0].decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def unfinished(self) -> int:
        """Jobs that are not in a final state."""
        jobs = self.storage.run(overview()).jobs
        return jobs[JobState.PENDING] + jobs[JobState.PROCESSING] + jobs[JobState.FAILED]

    def completed(self) -> list[Job]:
        """All jobs that have completed."""
        jobs: list[Job] = []
        after = ""
        while True:
            page = self.manager.page([JobState.COMPLETED], CHUNK, after)
            jobs += page.jobs
            if not page.end:
                return jobs
            after = page.end


def wait_for(condition: Callable[[], bool]) -> None:
    """Ask again and again until it holds."""
    give_up = time.monotonic() + LONGEST_WAIT_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError("what a measure waits for has not come")
        time.sleep(0.002)
