"""Peers that are programs for the shell, without a broker: xargs, GNU parallel and task spooler."""

from __future__ import annotations

import os
import subprocess
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from benchmarks.folders import discard
from benchmarks.peers.installation import debian_package, output
from benchmarks.peers.peer import Peer


class Program(Peer):
    """It reads the commands, ended by NUL each, from its standard input."""

    def enqueue(self, commands: Sequence[str]) -> None:
        self._commands.write_text("".join(f"{command}\0" for command in commands))

    def start(self, workers: int) -> subprocess.Popen[bytes]:
        environ = {**os.environ, "TMPDIR": str(self.folder), **self.environ(workers)}
        return self.spawn(self.command(workers), environ, self._commands)

    @abstractmethod
    def command(self, workers: int) -> list[str]:
        """The program and its arguments."""

    def environ(self, workers: int) -> dict[str, str]:
        """Variables to set for it."""
        return {}

    @property
    def _commands(self) -> Path:
        return self.folder / "commands"


class Xargs(Program):
    """The reference."""

    name = "xargs -P"
    configuration = "xargs -0 -n1 -P WORKERS sh -c"
    keeps = "nothing"

    def install(self) -> str:
        return output("xargs", "--version").splitlines()[0].split()[-1]

    def command(self, workers: int) -> list[str]:
        return ["xargs", "-0", "-n1", f"-P{workers}", "sh", "-c"]


class Parallel(Program):
    """It hands each line to a shell itself."""

    name = "GNU parallel"
    configuration = "PARALLEL_SHELL=/bin/sh parallel -0 -j WORKERS"
    keeps = "nothing"

    def install(self) -> str:
        debian_package("parallel", "parallel")
        return output("parallel", "--version").splitlines()[0].split()[-1]

    def command(self, workers: int) -> list[str]:
        return ["parallel", "--will-cite", "-0", f"-j{workers}"]

    def environ(self, workers: int) -> dict[str, str]:
        return {"PARALLEL_SHELL": "/bin/sh", "PARALLEL_HOME": str(self.folder)}


class ParallelWithLogs(Parallel):
    """With what lets one look at results, and go on after a stop."""

    name = "GNU parallel, logs kept"
    configuration = f"{Parallel.configuration} --joblog FILE --results FOLDER"
    keeps = "output, status and times, in files without fsync; --resume goes on after a stop"

    def command(self, workers: int) -> list[str]:
        joblog, results = str(self.folder / "joblog"), str(self.folder / "results")
        return [*super().command(workers), "--joblog", joblog, "--results", results]

    def clear(self) -> None:
        (self.folder / "joblog").unlink()
        discard(self.folder / "results")


class TaskSpooler(Program):
    """It has a process for each waiting job, at most 1,000 of them: so it is fed while it runs."""

    name = "task spooler"
    configuration = "TS_SLOTS=WORKERS xargs -0 -n1 tsp -n sh -c: adding the jobs is part of the drain"
    keeps = "status and times of the last 1,000, in memory; all is lost with its server"

    def install(self) -> str:
        debian_package("task-spooler", "tsp")
        return output("tsp", "-V").split(" - ")[0].split()[-1].removeprefix("v")

    def command(self, workers: int) -> list[str]:
        return ["xargs", "-0", "-n1", "tsp", "-n", "sh", "-c"]

    def environ(self, workers: int) -> dict[str, str]:
        return {"TS_SOCKET": self._socket, "TS_SLOTS": str(workers)}

    def clear(self) -> None:
        subprocess.run(["tsp", "-K"], env={**os.environ, "TS_SOCKET": self._socket}, check=True)

    @property
    def _socket(self) -> str:
        return str(self.folder / "tsp")
