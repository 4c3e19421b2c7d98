"""Kills what dead runners' jobs left on this host. It imports next to nothing, for the guardian."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection

from queuectl.worker.attempt import cgroup, descendants

STUCK_SECONDS = 2.0
"""How long we wait for killed processes: one that is stuck in the kernel must not block a pool."""


def stop_leftovers(runners: Collection[str]) -> int:
    """Kill all processes in the groups of these runners' jobs, then all that carry their mark.

    Returns the number of the latter. Raises OSError if they can't be searched for now.
    """
    cgroup.end_groups_of(runners, cgroup.base_of_pool())
    return descendants.end_marked(runners)


def stop_orphans(is_ours: Callable[[int], bool]) -> list[int]:
    """Kill what a dead runner's jobs left to this process, now their parent, and the orphans of those in turn.

    Spares children for which ``is_ours`` is true. Returns those that can't be killed, as they are another user's.
    Raises OSError if they can't be searched for now.
    """
    deadline = time.monotonic() + STUCK_SECONDS
    while True:
        killed, immune = descendants.end_adopted(is_ours)
        if not killed:
            return immune
        orphans = set(killed)
        while orphans and time.monotonic() < deadline:
            orphans = {pid for pid in orphans if os.waitpid(pid, os.WNOHANG)[0] == 0}
            if orphans:
                time.sleep(0.002)
        if orphans:
            return immune
