"""Peers that are libraries on a broker: each has a program in `apps/`, and a private server."""

from __future__ import annotations

import shlex
import subprocess
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.installation import HERE, NODE, VENV, node_package, python_package
from benchmarks.peers.peer import Peer
from benchmarks.sandbox import Sandbox
from queuectl.server.paths import socket_path

APPS = HERE / "apps"


class Brokered(Peer):
    """``worker`` is the command line that starts workers; ``{workers}`` in it stands for their number."""

    def __init__(self, folder: Path, name: str, worker: str, keeps: str) -> None:
        super().__init__(folder)
        self.name = name
        self.configuration = worker.format(workers="WORKERS")
        self.keeps = keeps
        self._worker = worker
        self._sandbox = Sandbox("everysec")

    def __enter__(self) -> Peer:
        self._sandbox.__enter__()
        url = f"unix://{socket_path(self._sandbox.environ['QUEUECTL_HOME'])}"
        self._environ = {
            **self._sandbox.environ,
            "SERVER_URL": url,
            "RQ_REDIS_URL": url,
            "PYTHONPATH": str(APPS),
            "NODE_PATH": str(NODE / "node_modules"),
        }
        return self

    def __exit__(self, *raised: object) -> None:
        self._sandbox.__exit__(*raised)

    @abstractmethod
    def enqueuer(self) -> list[str]:
        """The program that enqueues what it reads, and prints the seconds that it took."""

    @abstractmethod
    def program(self, name: str) -> str:
        """Where the program is that starts workers."""

    def enqueue(self, commands: Sequence[str]) -> float:
        text = "".join(f"{command}\0" for command in commands).encode()
        with (self.folder / "log").open("ab") as log:
            ended = subprocess.run(
                self.enqueuer(), input=text, env=self._environ, stdout=subprocess.PIPE, stderr=log, check=True
            )
        return float(ended.stdout)

    def start(self, workers: int) -> subprocess.Popen[bytes]:
        name, *arguments = shlex.split(self._worker.format(workers=workers))
        return self.spawn([self.program(name), *arguments], self._environ)

    def clear(self) -> None:
        self._sandbox.empty()


class PythonPeer(Brokered):
    """Its package has the name of its module in `apps/`, before `_app`."""

    def __init__(self, folder: Path, package: str, worker: str, keeps: str, name: str = "", part: int = 1) -> None:
        super().__init__(folder, name or package, worker, keeps)
        self._package = package
        self.part = part

    def install(self) -> str:
        return python_package(self._package)

    def enqueuer(self) -> list[str]:
        return [self.program("python"), str(APPS / "enqueue.py"), f"{self._package}_app"]

    def program(self, name: str) -> str:
        return str(VENV / "bin" / name)


class BullMQ(Brokered):
    """The one for Node."""

    def __init__(self, folder: Path) -> None:
        keeps = "job, result and times, until removed; jobs of a dead worker run again"
        super().__init__(folder, "BullMQ", "bullmq.cjs work {workers}", keeps)

    def install(self) -> str:
        return node_package("bullmq")

    def enqueuer(self) -> list[str]:
        return [self.program("bullmq.cjs"), "enqueue"]

    def program(self, name: str) -> str:
        return str(APPS / name)
