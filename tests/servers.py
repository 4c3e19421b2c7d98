"""Private servers for the tests: on a Unix socket in a short folder, ended by their process id."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from queuectl.server import wire
from queuectl.server.wire import Answer
from waiting import wait_until


class Server(NamedTuple):
    """A running server, reached only by its socket."""

    socket: str
    pid: int

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"


@contextmanager
def running(program: str, *extra: str) -> Iterator[Server]:
    """Run ``program``, without a port or data on the disk, until the block ends; ``extra``: more options."""
    # Not pytest's folder: a path to a socket has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="qctl-"))
    socket, log = str(folder / "s.sock"), folder / "log"
    options = {"port": "0", "unixsocket": socket, "save": "", "appendonly": "no", "dir": str(folder)}
    command = [program, *(part for name, value in options.items() for part in (f"--{name}", value)), *extra]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:

        def answers() -> bool:
            assert process.poll() is None, f"{program} ended: {log.read_text()}"
            return wire.probe(socket) is Answer.READY

        wait_until(answers)
        yield Server(socket, process.pid)
    finally:
        process.kill()  # it holds nothing worth a shutdown
        process.wait()
        shutil.rmtree(folder)
