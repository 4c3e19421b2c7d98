"""The guardian's own life; see `guardian`. It imports next to nothing, because it is there with every pool."""

from __future__ import annotations

import os
import time

from queuectl.worker import descendants

LAST_WORD = b"."
"""Said by a pool that ends in order."""

CALM_SECONDS = 0.05
TRIES = 100
"""Processes that are being started while we look are found by looking again."""


def main() -> None:
    """The guardian's own life: read until the pipe closes."""
    heard = b""
    while data := os.read(0, 65_536):
        heard += data
    if heard.endswith(LAST_WORD):
        return
    runners = heard.decode("ascii", "replace").split()
    quiet = 0
    for _ in range(TRIES):
        quiet = quiet + 1 if descendants.end_marked(runners) == 0 else 0
        if quiet == 3:
            return
        time.sleep(CALM_SECONDS)
