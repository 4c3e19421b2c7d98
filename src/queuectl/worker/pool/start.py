"""Starts workers for a person on this host, or restarts those that were stopped."""

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
    """Run a pool in this process until it is stopped; return its exit code.

    Calls ``about_to_start`` once all checks have passed, and ``ready`` when all workers are up.
    """
    _check_user(storage.settings, allow_root)
    # Before we start an embedded server: a group that holds a process can't be divided.
    group = enter_pool()
    _take_stop_back(storage)
    about_to_start()
    storage.close()
    return Pool(storage.settings, options, ready, group).run()


def run_for_starter(settings: Settings, options: PoolOptions, ready_fd: int) -> int:
    """Run a pool for the process that called `start_in_background`, which waits at ``ready_fd``."""
    os.set_inheritable(ready_fd, False)  # jobs must not inherit it
    Reporter.share_file(os.getpid())

    def ready() -> None:
        with suppress(OSError):  # the starter has exited; the pool runs all the same
            os.write(ready_fd, b"ready\n")
        os.close(ready_fd)

    return Pool(settings, options, ready, enter_pool()).run()


def start_in_background(
    storage: RedisStorage, options: PoolOptions, *, allow_root: bool, about_to_start: Callable[[], None]
) -> int:
    """Start a pool that outlives this process; return its pid once its workers are up."""
    _check_user(storage.settings, allow_root)
    _take_stop_back(storage)
    about_to_start()
    return detach.start_detached(storage.settings, options)


def restart_stopped(settings: Settings) -> Iterator[tuple[int, PoolOptions]]:
    """Restart each pool that `worker stop` stopped on this host; yield its new pid and its options."""
    for pool in take_stopped(settings, host_name()):
        yield detach.start_detached(settings, pool.options), pool.options


def _check_user(settings: Settings, allow_root: bool) -> None:
    superuser.check(allowed=allow_root or settings.allow_root)


def _take_stop_back(storage: RedisStorage) -> None:
    """Resume: a person who starts workers wants them to run, in place of the stopped ones."""
    Workers(storage).resume()
    for _ in take_stopped(storage.settings, host_name()):
        pass
