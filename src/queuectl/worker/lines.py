"""A runner's three lines to the server, and how they are made again after a loss.

Work goes over `work`. The other two wait: `control` for messages to this runner, `bell` for the token that
says work has come. Two, because a runner that is full must not take the token from one that is free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from queuectl.errors import QueuectlError
from queuectl.settings import Settings
from queuectl.storage.link import Link
from queuectl.storage.open import open_connection

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0


class Lines:
    """Three connected links."""

    def __init__(self, settings: Settings) -> None:
        self.work = Link(open_connection(settings), settings.namespace)
        self.control = Link(open_connection(settings), settings.namespace)
        self.bell = Link(open_connection(settings), settings.namespace)
        self.all = (self.work, self.control, self.bell)

    def close(self) -> None:
        """Close all."""
        for link in self.all:
            link.close()


class Connector:
    """Connects in a thread: finding a host or starting the embedded server may take long, and jobs must go on."""

    def __init__(self, settings: Settings, wake_up: Callable[[], None]) -> None:
        self._settings = settings
        self._wake_up = wake_up
        self._result: Lines | QueuectlError | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to connect; `wake_up` is called when `result` has something."""
        self._result = None
        self._thread = threading.Thread(target=self._connect, name="connect", daemon=True)
        self._thread.start()

    def result(self) -> Lines | QueuectlError | None:
        """Lines, or why there are none; None while it still tries, and after it was taken."""
        result, self._result = self._result, None
        return result

    def _connect(self) -> None:
        try:
            self._result = Lines(self._settings)
        except QueuectlError as error:
            self._result = error
        self._wake_up()
