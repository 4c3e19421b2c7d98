"""What the guardian does once all others are dead; see `guardian`. It imports next to nothing: it must be quick."""

from __future__ import annotations

import sys

from queuectl.worker.pool.leftovers import end_remains

LAST_WORD = b"."
"""Said by a pool that ends in order."""


def main() -> None:
    """End what was started by the workers of the runners that are named as arguments."""
    while True:
        try:
            end_remains(sys.argv[1:])
            return
        except OSError:
            continue  # they could not be looked at for some seconds
