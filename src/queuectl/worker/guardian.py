"""The guardian: a small process beside each pool; it ends the jobs' processes if pool and runners are killed.

The pool writes the names of its runners into a pipe, one a line; runners hold the pipe open too. When it
closes without the last word, everybody at the other end was killed, and the guardian ends all processes that
carry one of these names in their environment. It has a session and a command line of its own, so that whatever
killed the pool is unlikely to have been meant for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from queuectl.worker import descendants

LAST_WORD = b"."
"""Said by a pool that ends in order."""

CALM_SECONDS = 0.05
TRIES = 100
"""Processes that are being started while we look are found by looking again."""


class Guardian:
    """The pool's side."""

    def __init__(self) -> None:
        reader, self._pipe = os.pipe()
        # -I: neither the current directory nor PYTHON* variables may say what is run. -c: a name of its own in ps.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", "from queuectl.worker.guardian import main; main()"],
            stdin=reader,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        os.close(reader)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def watch(self, runner: str) -> None:
        """The jobs of this runner are to be ended if we die."""
        self._say(runner.encode() + b"\n")

    def dismiss(self) -> None:
        """We end in order: there is nothing left to end."""
        self._say(LAST_WORD)
        os.close(self._pipe)

    def _say(self, text: bytes) -> None:
        try:
            os.write(self._pipe, text)
        except OSError:
            pass  # it was killed; the next pool on this host would clean up instead


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
