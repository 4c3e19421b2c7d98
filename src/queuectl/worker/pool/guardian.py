"""The guardian: a small process beside each pool. It kills the jobs' processes if pool and runners were killed.

The pool writes the names of its runners into a pipe, one a line; runners hold the pipe open too. When it
closes without the last word, everybody at the other end was killed, and the guardian kills all processes that
carry one of these names in their environment. It has a session and a command line of its own, so that whatever
killed the pool is unlikely to have been meant for it.

Until then it is a shell that reads, with a tenth of the memory of an interpreter: that is started only when it is
needed.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time

import queuectl
from queuectl.worker.pool.guardian_process import LAST_WORD
from queuectl.worker.report import Reporter

_PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(queuectl.__file__)))

# -I -S: no current directory, no variable and no installed package says what is run.
_PROGRAM = (
    f"import sys; sys.path.append({_PACKAGES!r}); from queuectl.worker.pool.guardian_process import main; main()"
)

# In variables, so that what a `pkill -f` looks for is not in the command line.
_WAIT = f"""while read -r name; do
  case $name in {LAST_WORD.decode()}) exit ;; esac
  set -- "$@" "$name"
done
exec "$INTERPRETER" -I -S -c "$PROGRAM" "$@\""""


RESTART_SECONDS = 0.5
"""Pause before a guardian that was killed is replaced."""

PAUSE_SECONDS = 10.0
"""Pause after it could not be started."""


class Guardian:
    """The pool's side; part of a pool, `Timed`."""

    def __init__(self) -> None:
        self.due = math.inf
        self._reader = self._pipe = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: list[str] = []

    def start(self) -> None:
        """Start it."""
        self._reader, self._pipe = os.pipe()
        self._launch()

    def stop(self) -> None:
        """The pool exits in good order, and leaves nothing to clean up."""
        self._say(LAST_WORD + b"\n")
        self.let_go()

    def turn(self) -> None:
        """Replace one that was killed, if it is time."""
        if self.due <= time.monotonic():
            self._launch()

    def watch(self, runner: str) -> None:
        """The jobs of this runner are to be stopped if we are killed."""
        self._watched.append(runner)
        self._say(runner.encode() + b"\n")

    def forget(self, runner: str) -> None:
        """Nothing is left of this runner's jobs. A guardian that is up looks for them all the same."""
        if runner in self._watched:
            self._watched.remove(runner)

    def is_process(self, pid: int) -> bool:
        """Whether this is the guardian's process."""
        return self._process is not None and self._process.pid == pid

    def ended(self, pid: int) -> bool:
        """A child of the pool has ended. Gives whether it was the guardian, which is replaced soon."""
        if not self.is_process(pid):
            return False
        self.due = time.monotonic() + RESTART_SECONDS
        return True

    def let_go(self) -> None:
        """This process is none of those whose death the guardian waits for."""
        os.close(self._pipe)
        os.close(self._reader)

    def _launch(self) -> None:
        """Start it, or another one in its place, at the same pipe: the runners that live hold its other end."""
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WAIT, "guardian"],
                env={**os.environ, "INTERPRETER": sys.executable, "PROGRAM": _PROGRAM},
                stdin=self._reader,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            Reporter.say(f"the guardian can't be started: {error.strerror}")
            self.due = time.monotonic() + PAUSE_SECONDS
            return
        self.due = math.inf
        for runner in self._watched:
            self._say(runner.encode() + b"\n")

    def _say(self, text: bytes) -> None:
        try:
            os.write(self._pipe, text)
        except OSError:
            pass  # it was killed; the next pool on this host would clean up instead
