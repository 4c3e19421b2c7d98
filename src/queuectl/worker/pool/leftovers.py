"""What the jobs of dead runners left behind on this host. It imports next to nothing, for the guardian."""

from __future__ import annotations

from collections.abc import Collection

from queuectl.worker.attempt import cgroup, descendants


def end_remains(runners: Collection[str]) -> int:
    """End all processes in the groups of these runners' jobs, then all that carry their mark.

    Gives how many the latter were.
    """
    cgroup.end_groups_of(runners, cgroup.base_of_pool())
    return descendants.end_marked(runners)
