"""What the guardian does once all others are dead; see `guardian`. It imports next to nothing: it must be quick."""

from __future__ import annotations

import sys
import time

from queuectl.worker import cgroup, descendants

LAST_WORD = b"."
"""Said by a pool that ends in order."""

CALM_SECONDS = 0.05
TRIES = 100
"""Processes that are being started while we look are found by looking again."""


def main() -> None:
    """End what was started by the workers of the runners that are named as arguments."""
    runners = sys.argv[1:]
    quiet = 0
    for _ in range(TRIES):
        cgroup.end_groups_of(runners)
        quiet = quiet + 1 if descendants.end_marked(runners) == 0 else 0
        if quiet == 3:
            return
        time.sleep(CALM_SECONDS)
