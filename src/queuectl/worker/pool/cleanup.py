"""Cleans up after runners that died: kills their processes first, then frees their leases.

In this order, because a job must not run elsewhere alongside its old processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from queuectl.errors import QueuectlError
from queuectl.settings import Settings
from queuectl.storage import RedisStorage
from queuectl.storage.calls.leases import recover
from queuectl.storage.calls.workers import retire
from queuectl.worker.pool.guardian import Guardian
from queuectl.worker.pool.leftovers import stop_leftovers, stop_orphans
from queuectl.worker.pool.record import take_dead
from queuectl.worker.report import Reporter

PROCESSES_AGAIN_SECONDS = 0.5
"""Pause before we search again for processes, after a search that failed."""

LEASES_AGAIN_SECONDS = 5.0
"""Pause before we ask the server again to free a dead runner's leases; in the end they expire anyway."""


class Cleanup:
    """Cleans up after this pool's dead runners: at once if possible, else later. Part of a pool, `Timed`.

    ``is_ours`` says which children of the pool are not leftovers of a job.
    """

    def __init__(
        self, storage: RedisStorage, guardian: Guardian, reporter: Reporter, is_ours: Callable[[int], bool]
    ) -> None:
        self.due = math.inf
        self._storage = storage
        self._guardian = guardian
        self._reporter = reporter
        self._is_ours = is_ours
        self._dead: dict[str, list[str]] = {}

    def start(self) -> None:
        """Do nothing: nothing is left over yet."""

    def stop(self) -> None:
        """Try one last time. The guardian and the next pool clean up the rest."""
        self.run()

    @property
    def is_done(self) -> bool:
        """Whether nothing is left over."""
        return self.due == math.inf

    def add(self, runner: str, workers: list[str]) -> None:
        """Note that this runner has died and its leases must be freed."""
        self._dead[runner] = workers

    def turn(self) -> None:
        """Try again if it is time."""
        if self.due <= time.monotonic():
            self.run()

    def run(self) -> None:
        """Clean up as much as possible now."""
        self.due = math.inf
        try:
            stop_orphans(self._is_ours)
        except OSError as error:
            self._reporter.say_once(f"processes that a dead runner left can't be looked for yet ({error.strerror})")
            self.due = time.monotonic() + PROCESSES_AGAIN_SECONDS
            return
        for runner in [runner for runner, workers in self._dead.items() if self._free_leases(runner, workers)]:
            del self._dead[runner]
            self._guardian.forget(runner)
        if self._dead:
            self.due = time.monotonic() + LEASES_AGAIN_SECONDS

    def close_connection(self) -> None:
        """Call before a fork: two processes must not share a connection. It reopens when needed."""
        self._storage.close()

    def _free_leases(self, runner: str, workers: list[str]) -> bool:
        try:
            free_leases(self._storage, runner, workers)
        except (QueuectlError, OSError) as error:  # OSError: not even a module can be opened
            self._reporter.say_once(f"the leases of a runner that died can't be freed yet: {error}")
            return False
        return True


def clean_up_dead_pools(settings: Settings, storage: RedisStorage, host: str) -> None:
    """Do the same for each pool of this queue that was killed on this host."""
    for dead in take_dead(settings, host):
        try:
            killed = stop_leftovers(dead.runners)
        except OSError as error:
            Reporter.say(f"processes that pool {dead.pid} left can't be looked for yet ({error.strerror})")
            return  # the record stays, for the next maintenance round
        numbers = range(1, dead.options.workers + 1)
        freed = sum(
            free_leases(storage, runner, [f"{runner}-{number}" for number in numbers]) for runner in dead.runners
        )
        if freed or killed:
            Reporter.say(f"pool {dead.pid} was killed: {freed} jobs put back, {killed} processes killed")


def free_leases(storage: RedisStorage, runner: str, workers: list[str]) -> int:
    """Put a dead runner's jobs back, and forget it and its workers. Returns the number of jobs.

    If there is work, this also replaces the wake token that the runner may have taken.
    """
    skip, total = storage.run(recover([runner]))
    while skip >= 0:
        skip, freed = storage.run(recover([runner], skip))
        total += freed
    storage.run(retire(runner, workers))
    return total
