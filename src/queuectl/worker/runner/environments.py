"""The environments of jobs: fetched once, then cached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

from queuectl.storage import variables as environment
from queuectl.storage.keys import Keys
from queuectl.storage.shapes import either, nothing, text
from queuectl.worker.runner.connections import Connections, Connector

REMEMBERED = 256
"""The most environments in the cache."""

Variables = Mapping[bytes, bytes]


class Environments:
    """Environments by digest, as leases name them. ``complete`` adds the worker's own variables."""

    def __init__(self, keys: Keys, connector: Connector, complete: Callable[[Variables], Variables]) -> None:
        self._keys = keys
        self._connector = connector
        self._complete = complete
        self._known: OrderedDict[str, Variables] = OrderedDict({"": complete({})})
        self._fetching: set[str] = set()
        self.get = self._known.get
        """Return the environment for a digest; None if it must be fetched first."""
        connector.tell(self)

    def fetch(self, digest: str) -> None:
        """Ask the server for the variables, unless a request is pending."""
        connections = self._connector.connections
        if connections is not None and digest not in self._fetching:
            self._fetching.add(digest)
            command = ("HGET", self._keys.environment(digest), "variables")
            connections.work.command(command, either(nothing, text), partial(self._fetched, digest))

    def gained(self, connections: Connections) -> None:
        """Do nothing: jobs that wait for an environment request it again."""

    def lost(self, *, wrong_server: bool) -> None:
        """Forget pending requests: no answer will come."""
        self._fetching.clear()

    def _fetched(self, digest: str, packed: bytes | None) -> None:
        self._fetching.discard(digest)
        self._known[digest] = self._complete(environment.unpack(packed or b""))
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
