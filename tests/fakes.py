"""A server that is none: it answers as a test says, whatever it is asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import hiredis

INFO = b"# Server\r\nredis_version:7.2.0\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"

Answer = Callable[[list[bytes]], bytes | Iterator[bytes]]
"""Gets a command; returns what to send, or the pieces of it, sent one by one until the client hangs up."""


def encoded(reply: object) -> bytes:
    """Return a reply as RESP2; an exception is an error reply."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, bytes):
        return b"$%d\r\n%s\r\n" % (len(reply), reply)
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, Exception):
        return b"-%s\r\n" % str(reply).encode()
    assert isinstance(reply, (list, tuple)), reply
    return b"*%d\r\n" % len(reply) + b"".join(map(encoded, reply))


class FakeServer:
    """Listens on a Unix socket; ``asked`` are the names of the commands that came."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.asked: list[bytes] = []
        self.answer = answer
        self._path = folder / "s.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen(100)
        self._peers: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def close(self) -> None:
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Cut all connections that there are."""
        for peer in self._peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has hung up

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        reader = hiredis.Reader()
        with peer:
            try:
                while data := peer.recv(1 << 16):
                    reader.feed(data)
                    while (command := reader.gets()) is not False:
                        self.asked.append(command[0])
                        self._reply(peer, command)
            except OSError:
                pass  # the client has hung up

    def _reply(self, peer: socket.socket, command: list[bytes]) -> None:
        answer = self.answer(command)
        for piece in [answer] if isinstance(answer, bytes) else answer:
            peer.sendall(piece)


@contextmanager
def fake_server(answer: Answer) -> Iterator[FakeServer]:
    """Run a fake that answers INFO like a server, and all else as ``answer`` says."""

    def answered(command: list[bytes]) -> bytes | Iterator[bytes]:
        return encoded(INFO) if command == [b"INFO"] else answer(command)

    with TemporaryDirectory(prefix="qctl-") as folder:
        server = FakeServer(Path(folder), answered)
        try:
            yield server
        finally:
            server.close()
