"""What is done for a pool that was killed: its processes are ended, its leases freed, its workers forgotten."""

from __future__ import annotations

from queuectl.settings import Settings
from queuectl.storage import RedisStorage
from queuectl.worker.pool.leftovers import end_remains
from queuectl.worker.pool.record import take_dead
from queuectl.worker.report import Reporter


def bury_dead_pools(settings: Settings, storage: RedisStorage, host: str) -> None:
    """Do it for each pool of this queue that was killed on this host."""
    for dead in take_dead(settings, host):
        try:
            ended = end_remains(dead.runners)
        except OSError as error:
            Reporter.say(f"what workers of {dead.pid} left can't be looked for yet ({error.strerror})")
            return  # the record stays, for the next round of housekeeping
        numbers = range(1, dead.options.workers + 1)
        freed = sum(
            free_leases(storage, runner, [f"{runner}-{number}" for number in numbers]) for runner in dead.runners
        )
        if freed or ended:
            Reporter.say(f"workers of {dead.pid} had been killed: {freed} jobs put back, {ended} processes ended")


def free_leases(storage: RedisStorage, runner: str, workers: list[str]) -> int:
    """Put a dead runner's jobs back, and forget it and its workers. Gives how many jobs there were."""
    freed = storage.recover([runner])
    storage.retire(runner, workers)
    return freed
