"""A queue on servers in the network: a bad connection to them, and a replica that takes over."""

from __future__ import annotations

import os
import random
from contextlib import closing
from pathlib import Path

from proxy import Proxy
from queuectl.server import binary
from queuectl.storage.client import Connection
from queuectl.storage.url import parse
from servers import TcpServer
from waiting import wait_until

from .blow import Blow
from .system import System

SLOW_SECONDS, DOWN_SECONDS = 3.0, 2.0
JUMP_SECONDS = 3600
FAKE_TIME = sorted(Path("/usr").glob("lib/**/faketime/libfaketimeMT.so.1"))
"""The library libfaketime (Debian package ``libfaketime``), which moves the wall clock of a server."""

LATENCY_SECONDS = 1.0


class Network:
    """A primary and its replica, both with every write on disk, reached through a proxy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._clock = folder / "server-clock"
        self.set_clock(0)
        self._primary = self._new_server()
        self._replica = self._new_replica()
        self.proxy = Proxy(self._primary.address)

    @property
    def url(self) -> str:
        """The queue's URL, whichever server has it."""
        return "redis://{}:{}/0".format(*self.proxy.address)

    def promote(self) -> bool:
        """Kill the primary and switch to the replica; return False while that is not yet up to date."""
        if not self._in_step():
            return False
        self._primary.kill()
        _tell(self._replica, "REPLICAOF", "NO", "ONE")
        self._primary = self._replica
        self.proxy.switch(self._primary.address)
        self._replica = self._new_replica()
        return True

    def set_clock(self, seconds: int) -> None:
        """Move the wall clock of both servers, within a second."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._clock)

    def restart(self) -> None:
        """Start the primary again, after `kill`."""
        self._primary.start()

    def kill(self) -> None:
        """Kill the primary; its data stay on disk."""
        self._primary.kill()

    def close(self) -> None:
        """Stop everything."""
        self.proxy.close()
        for server in (self._primary, self._replica):
            server.kill()

    def _new_server(self) -> TcpServer:
        self._number += 1
        clock = (
            {
                "LD_PRELOAD": str(FAKE_TIME[0]),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            if FAKE_TIME
            else {}
        )
        folder = self._folder / f"server-{self._number}"
        return TcpServer(binary.find().path, folder, environ={**os.environ, **clock})

    def _new_replica(self) -> TcpServer:
        replica = self._new_server()
        _tell(replica, "REPLICAOF", *map(str, self._primary.address))
        self._replica = replica
        wait_until(self._in_step)
        return replica

    def _in_step(self) -> bool:
        return b"master_link_status:up" in _tell(self._replica, "INFO", "replication")


def slow_network(system: System, rng: random.Random) -> Blow | None:
    """Delay each answer by a second."""
    if (network := system.network) is None:
        return None
    network.proxy.delay(LATENCY_SECONDS)
    return Blow((), network.proxy.heal, SLOW_SECONDS)


def half_open_network(system: System, rng: random.Random) -> Blow | None:
    """Keep connections open but let nothing through; later connections work after a while."""
    if (network := system.network) is None:
        return None
    network.proxy.swallow()
    return Blow((), network.proxy.heal, DOWN_SECONDS)


def cut_network(system: System, rng: random.Random) -> Blow | None:
    """Reset all connections, new ones too."""
    if (network := system.network) is None:
        return None
    network.proxy.refuse()
    return Blow((), network.proxy.heal, DOWN_SECONDS)


def promote_replica(system: System, rng: random.Random) -> Blow | None:
    """Kill the primary; its replica takes over with what it has received."""
    if (network := system.network) is None or not network.promote():
        return None
    return Blow()


def shift_server_clock(system: System, rng: random.Random) -> Blow | None:
    """Let the servers' clock jump by an hour, and back."""
    if (network := system.network) is None or not FAKE_TIME:
        return None
    network.set_clock(rng.choice((-JUMP_SECONDS, JUMP_SECONDS)))
    return Blow((), lambda: network.set_clock(0), SLOW_SECONDS)


def _tell(server: TcpServer, *words: str) -> bytes:
    with closing(Connection.open(parse("redis://{}:{}/0".format(*server.address)))) as connection:
        (reply,) = connection.exchange([words])
    assert isinstance(reply, bytes), reply
    return reply
