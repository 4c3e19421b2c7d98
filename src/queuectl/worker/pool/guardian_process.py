"""What the guardian runs once all others are dead; see `guardian`. To be quick, it imports next to nothing."""

from __future__ import annotations

import sys

from queuectl.worker.pool.leftovers import stop_leftovers

LAST_WORD = b"."
"""Sent by a pool that exits normally."""


def main() -> None:
    """Kill what the workers of the runners named as arguments started."""
    while True:
        try:
            stop_leftovers(sys.argv[1:])
            return
        except OSError:
            continue  # every search failed in all that time
