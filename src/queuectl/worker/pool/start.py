"""What has to be decided when a person starts workers on this host, or restarts those that were stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from queuectl.host import host_name
from queuectl.manager.workers import Workers
from queuectl.settings import Settings
from queuectl.storage import RedisStorage
from queuectl.worker.attempt.cgroup import enter_pool
from queuectl.worker.options import PoolOptions
from queuectl.worker.pool import detach, superuser
from queuectl.worker.pool.pool import Pool
from queuectl.worker.pool.record import take_stopped
from queuectl.worker.report import Reporter


def run_here(
    storage: RedisStorage,
    options: PoolOptions,
    *,
    allow_root: bool,
    about_to_start: Callable[[], None],
    ready: Callable[[], None],
) -> int:
    """Run a pool in this process until it is stopped; gives its exit code.

    ``about_to_start`` is called once nothing speaks against it, ``ready`` when all workers are up.
    """
    _check_user(storage.settings, allow_root)
    # Before an embedded server is started: a process that stands in a group keeps it from being divided.
    group = enter_pool()
    _take_stop_back(storage)
    about_to_start()
    storage.close()
    return Pool(storage.settings, options, ready, group).run()


def run_for_starter(settings: Settings, options: PoolOptions, ready_fd: int) -> int:
    """Run a pool in this process, which `start_in_background` of another started. It waits at ``ready_fd``."""
    os.set_inheritable(ready_fd, False)  # it is ours, and no job's
    Reporter.share_file(os.getpid())

    def ready() -> None:
        with suppress(OSError):  # the other has gone; the pool has work to do all the same
            os.write(ready_fd, b"ready\n")
        os.close(ready_fd)

    return Pool(settings, options, ready, enter_pool()).run()


def start_in_background(
    storage: RedisStorage, options: PoolOptions, *, allow_root: bool, about_to_start: Callable[[], None]
) -> int:
    """Start a pool that outlives this process; gives its pid once its workers are up."""
    _check_user(storage.settings, allow_root)
    _take_stop_back(storage)
    about_to_start()
    return detach.start_detached(storage.settings, options)


def restart_stopped(settings: Settings) -> Iterator[tuple[int, PoolOptions]]:
    """Restart each pool of this host that `worker stop` stopped; yields its new pid and its options."""
    for pool in take_stopped(settings, host_name()):
        yield detach.start_detached(settings, pool.options), pool.options


def _check_user(settings: Settings, allow_root: bool) -> None:
    superuser.check(allowed=allow_root or settings.allow_root)


def _take_stop_back(storage: RedisStorage) -> None:
    """A person who starts workers wants them to run, and those instead of the ones that were stopped."""
    Workers(storage).resume()
    for _ in take_stopped(storage.settings, host_name()):
        pass
