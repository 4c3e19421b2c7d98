"""The use cases around workers that need the server alone: stop, resume, wait, list.

What starts processes on this host is in `worker.pool.start`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from queuectl.manager.connection import address
from queuectl.model.worker import WorkerInfo
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls import workers
from queuectl.storage.durability import APPEND_ONLY_HINT, lacks_append_only_file

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
PAUSE_FACTOR = 1.3
"""A worker that is idle stops within a moment, and one with a long job may take hours."""


class Workers:
    """The workers of one queue, on all hosts."""

    def __init__(self, storage: RedisStorage) -> None:
        self._storage = storage

    def all(self) -> list[WorkerInfo]:
        """Every live worker, by name."""
        return sorted(reads.workers(self._storage, self._overview().workers))

    def count(self) -> int:
        """How many are alive."""
        return len(self._overview().workers)

    def are_stopped(self) -> bool:
        """Whether the stop signal is set."""
        return self._overview().stopped

    def stop(self) -> int:
        """Tell all workers to finish their job and stop. Gives how many were told."""
        return self._storage.run(workers.stop())

    def resume(self) -> bool:
        """Remove the stop signal. Gives whether it was set."""
        return self._storage.run(workers.resume())

    def wait_until_stopped(
        self,
        timeout_seconds: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> int:
        """Wait until no worker is alive, at most ``timeout_seconds`` (None: as long as it takes).

        Gives how many are left: 0 unless the time is up. It asks often at first, and once a second after a
        while: nothing in the server tells that a worker has stopped.
        """
        deadline = float("inf") if timeout_seconds is None else clock() + timeout_seconds
        pause = FIRST_PAUSE_SECONDS
        while left := self.count():
            remaining = deadline - clock()
            if remaining <= 0:
                return left
            sleep(min(pause, remaining))
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE_SECONDS)
        return 0

    def danger(self) -> str:
        """Say how jobs could be lost, if a server that the user named keeps nothing on its disk but snapshots."""
        settings = self._storage.settings
        if not settings.redis_url or not lacks_append_only_file(self._storage):
            return ""
        return (
            f"The server {address(settings)} keeps no append-only file: if it dies, all that it acknowledged since"
            f" its last snapshot is lost. To keep it, turn it {APPEND_ONLY_HINT}"
        )

    def use_this_server(self) -> bool:
        """Whether workers of any namespace are connected to this server."""
        return reads.has_blocked_clients(self._storage)

    def _overview(self) -> workers.Overview:
        return self._storage.run(workers.overview())
