"""What the guardian does once all others are dead; see `guardian`. It imports next to nothing: it must be quick."""

from __future__ import annotations

import sys

from queuectl.worker.pool.leftovers import stop_leftovers

LAST_WORD = b"."
"""Said by a pool that exits in good order."""


def main() -> None:
    """Kill what was started by the workers of the runners that are named as arguments."""
    while True:
        try:
            stop_leftovers(sys.argv[1:])
            return
        except OSError:
            continue  # they could not be looked for in all that time
