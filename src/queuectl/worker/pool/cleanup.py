"""Cleans up after runners that died: kills their processes first, then frees their leases.

In this order, because a job must not run elsewhere alongside its old processes. We hold the lease of a job whose
processes can't be killed until they have exited.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from queuectl.errors import QueuectlError
from queuectl.model.worker import STUCK
from queuectl.settings import Settings
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.leases import Held, note_unkillable, recover
from queuectl.storage.calls.workers import WorkerState, heartbeat, retire
from queuectl.storage.scripts import CHUNK
from queuectl.worker.attempt.process import Unkillable
from queuectl.worker.attempt.survivors import describe, living, pids_of
from queuectl.worker.pool.guardian import Guardian
from queuectl.worker.pool.leftovers import stop_leftovers, stop_orphans
from queuectl.worker.pool.record import take_dead
from queuectl.worker.report import Reporter

PROCESSES_AGAIN_SECONDS = 0.5
"""Pause before we search again for processes, after a search that failed."""

LEASES_AGAIN_SECONDS = 5.0
"""Pause before we ask the server again to free a dead runner's leases; in the end they expire anyway."""


HOLD_SECONDS = 90
"""For how long we hold the lease of a job whose processes can't be killed: three maintenance rounds."""


class Dead(NamedTuple):
    """A runner that died: its name, its workers, its host, and the pid of its pool."""

    runner: str
    workers: list[str]
    host: str
    pid: int


class Cleanup:
    """Cleans up after this pool's dead runners: at once if possible, else later. Part of a pool, `Timed`.

    ``is_ours`` says which children of the pool are not leftovers of a job.
    """

    def __init__(
        self,
        storage: RedisStorage,
        host: str,
        guardian: Guardian,
        reporter: Reporter,
        is_ours: Callable[[int], bool],
    ) -> None:
        self.due = math.inf
        self._storage = storage
        self._guardian = guardian
        self._reporter = reporter
        self._is_ours = is_ours
        self._host = host
        self._dead: list[Dead] = []
        self._immune: list[int] = []

    def start(self) -> None:
        """Do nothing: nothing is left over yet."""

    def stop(self) -> None:
        """Try one last time. The guardian and the next pool clean up the rest."""
        self.run()

    @property
    def holds_leases(self) -> bool:
        """Whether processes that can't be killed keep leases from being freed."""
        return bool(self._immune)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left over."""
        return self.due == math.inf

    def add(self, runner: str, workers: list[str]) -> None:
        """Note that this runner has died and its leases must be freed."""
        self._dead.append(Dead(runner, workers, self._host, os.getpid()))

    def turn(self) -> None:
        """Try again if it is time."""
        if self.due <= time.monotonic():
            self.run()

    def tell(self) -> None:
        """Say what keeps this pool from stopping."""
        if self._immune:
            words = describe(self._immune).words
            Reporter.say(
                f"{words} of a runner that died can't be killed. This pool stays until it exits, so that its job"
                " does not run twice"
            )

    def run(self) -> None:
        """Clean up as much as possible now."""
        self.due = math.inf
        try:
            immune = stop_orphans(self._is_ours)
        except OSError as error:
            self._reporter.say_once(f"processes that a dead runner left can't be looked for yet ({error.strerror})")
            self.due = time.monotonic() + PROCESSES_AGAIN_SECONDS
            return
        is_news = bool(self._dead and immune and not self._immune)
        self._immune = immune if self._dead else []
        if is_news:
            self.tell()
        self._free_leases()
        if self._dead:
            self.due = time.monotonic() + LEASES_AGAIN_SECONDS
        else:
            self._immune = []

    def close_connection(self) -> None:
        """Call before a fork: two processes must not share a connection. It reopens when needed."""
        self._storage.close()

    def _free_leases(self) -> None:
        try:
            names = [dead.runner for dead in self._dead]
            suspects = find_suspects(self._storage, self._host, names, self._immune)
            for dead in list(self._dead):
                release(self._storage, dead, suspects[dead.runner], self._immune)
                if not suspects[dead.runner]:
                    self._dead.remove(dead)
                    self._guardian.forget(dead.runner)
        except (QueuectlError, OSError) as error:  # OSError: not even a module can be opened
            self._reporter.say_once(f"the leases of a runner that died can't be freed yet: {error}")


def clean_up_dead_pools(settings: Settings, storage: RedisStorage, host: str) -> None:
    """Do the same for each pool of this queue that was killed on this host."""
    kept: set[int] = set()
    for pool in take_dead(settings, host, kept):
        try:
            killed = stop_leftovers(pool.runners)
        except OSError as error:
            Reporter.say(f"processes that pool {pool.pid} left can't be looked for yet ({error.strerror})")
            return  # the record stays, for the next maintenance round
        marks = [held.marks for runner, held in reads.leases(storage) if runner in pool.runners]
        immune = [pid for each in marks for pid in living(each)]
        suspects = find_suspects(storage, host, pool.runners, immune)
        freed = 0
        for runner in pool.runners:
            workers = [f"{runner}-{number}" for number in range(1, pool.options.workers + 1)]
            freed += release(storage, Dead(runner, workers, host, pool.pid), suspects[runner], immune)
        if any(suspects.values()):
            kept.add(pool.pid)
        if freed or killed:
            Reporter.say(f"pool {pool.pid} was killed: {freed} jobs put back, {killed} processes killed")


def find_suspects(
    storage: RedisStorage, host: str, runners: Sequence[str], immune: Collection[int]
) -> dict[str, list[Held]]:
    """Return, for each of these dead runners of this host, the jobs to which ``immune`` processes belong.

    If it is not known of each process whose it is, these are all jobs of these runners.
    """
    if not immune:
        return {runner: [] for runner in runners}
    marked = [
        (runner, held, pids_of(held.marks).intersection(immune))
        for runner, held in reads.leases(storage)
        if runner.startswith(f"{host}-")
    ]
    explained = set[int]().union(*(pids for _, _, pids in marked)).issuperset(immune)
    return {
        name: [held for runner, held, pids in marked if runner == name and (pids or not explained)]
        for name in runners
    }


def release(storage: RedisStorage, dead: Dead, suspects: list[Held], immune: Collection[int]) -> int:
    """Free a dead runner's leases, and forget it. Hold those of ``suspects``, to which ``immune`` processes belong.

    Returns the number of jobs put back.
    """
    if not suspects:
        return free_leases(storage, dead.runner, dead.workers)
    _hold(storage, dead, suspects, describe(sorted(immune)))
    return _recover(storage, dead.runner, [held.job_id for held in suspects])


def _hold(storage: RedisStorage, dead: Dead, held: list[Held], unkillable: Unkillable) -> None:
    """Renew these leases, show their workers, and note why."""
    for start in range(0, len(held), CHUNK):
        chunk = held[start : start + CHUNK]
        own = [each.worker if each.worker.startswith(dead.runner) else dead.workers[0] for each in chunk]
        call = heartbeat(
            *(dead.runner, dead.host, dead.pid),
            lease_seconds=HOLD_SECONDS,
            life_seconds=HOLD_SECONDS,
            workers=[
                WorkerState(worker, STUCK, each.job_id, each.fence) for worker, each in zip(own, chunk, strict=True)
            ],
        )
        storage.run(call)
        marks, words = unkillable
        notes = [each if each.marks else each._replace(marks=marks, words=words) for each in chunk]
        storage.run(note_unkillable(dead.runner, notes))


def free_leases(storage: RedisStorage, runner: str, workers: list[str]) -> int:
    """Put a dead runner's jobs back, and forget it and its workers. Returns the number of jobs.

    If there is work, this also replaces the wake token that the runner may have taken.
    """
    freed = _recover(storage, runner)
    storage.run(retire(runner, workers))
    return freed


def _recover(storage: RedisStorage, runner: str, spare: Sequence[str] = ()) -> int:
    skip, total = storage.run(recover([runner], 0, spare))
    while skip >= 0:
        skip, freed = storage.run(recover([runner], skip, spare))
        total += freed
    return total
