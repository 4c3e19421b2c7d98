"""Private servers for the tests: on a Unix socket in a short folder, stopped by pid."""

from __future__ import annotations

import shutil
import signal
import socket as sockets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
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


class TcpServer:
    """A server on loopback whose data are on the disk: it can be killed, and started again at the same port."""

    def __init__(self, program: str, folder: Path, *options: str, environ: Mapping[str, str] | None = None) -> None:
        self._environ = environ
        with sockets.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address: tuple[str, int] = free.getsockname()
        folder.mkdir()
        self._log = folder / "log"
        settings = {"port": str(self.address[1]), "bind": "127.0.0.1", "dir": str(folder), "save": ""}
        settings |= {"appendonly": "yes", "appendfsync": "always", "repl-diskless-sync-delay": "0"}
        self._command = [program, *(part for name, value in settings.items() for part in (f"--{name}", value))]
        self._command += options
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=subprocess.STDOUT, env=self._environ
            )
        wait_until(self._answers)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            sockets.create_connection(self.address, timeout=1).close()
        except OSError:
            return False
        return True
