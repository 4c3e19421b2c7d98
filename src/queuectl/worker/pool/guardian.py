"""The guardian: a small process next to each pool. It kills the jobs' processes if pool and runners are killed.

The pool writes the names of its runners into a pipe, one a line; runners hold the pipe open too. If the pipe closes
without the last word, all its writers were killed. Then the guardian kills all processes with one of these names in
their environment. It has its own session and command line, so that whatever killed the pool probably spares it.

Until then it is a waiting shell, which needs a tenth of an interpreter's memory; it starts the interpreter only
when needed.
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
from queuectl.worker.shortage import in_words

_PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(queuectl.__file__)))

# -I -S: neither the current directory nor a variable nor an installed package decides what runs.
_PROGRAM = (
    f"import sys; sys.path.append({_PACKAGES!r}); from queuectl.worker.pool.guardian_process import main; main()"
)

# In variables, so that the command line doesn't match a `pkill -f`.
_WAIT = f"""while read -r name; do
  case $name in {LAST_WORD.decode()}) exit ;; esac
  set -- "$@" "$name"
done
exec "$INTERPRETER" -I -S -c "$PROGRAM" "$@\""""


RESTART_SECONDS = 0.5
"""Pause before we replace a guardian that was killed."""

PAUSE_SECONDS = 10.0
"""Pause after a guardian could not be started."""


class Guardian:
    """The pool's side of the guardian; part of a pool, `Timed`."""

    def __init__(self) -> None:
        self.due = math.inf
        self._reader = self._pipe = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: list[str] = []

    def start(self) -> None:
        """Start the guardian."""
        self._reader, self._pipe = os.pipe()
        self._launch()

    def stop(self) -> None:
        """The pool exits normally and leaves nothing to clean up."""
        self._say(LAST_WORD + b"\n")
        self.let_go()

    def turn(self) -> None:
        """Replace a guardian that was killed, if it is time."""
        if self.due <= time.monotonic():
            self._launch()

    def watch(self, runner: str) -> None:
        """Have this runner's jobs killed if we are killed."""
        self._watched.append(runner)
        self._say(runner.encode() + b"\n")

    def forget(self, runner: str) -> None:
        """Nothing is left of this runner's jobs. A running guardian still searches for them."""
        if runner in self._watched:
            self._watched.remove(runner)

    def is_process(self, pid: int) -> bool:
        """Whether this is the guardian's pid."""
        return self._process is not None and self._process.pid == pid

    def ended(self, pid: int) -> bool:
        """Handle a pool child's exit. Returns whether it was the guardian, which is then replaced soon."""
        if not self.is_process(pid):
            return False
        self.due = time.monotonic() + RESTART_SECONDS
        return True

    def let_go(self) -> None:
        """Call in a child whose life doesn't count: close its end of the guardian's pipe."""
        os.close(self._pipe)
        os.close(self._reader)

    def _launch(self) -> None:
        """Start a guardian, or replace it, on the same pipe: running runners hold its other end."""
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
            Reporter.say(f"the guardian can't be started: {in_words(error)}")
            self.due = time.monotonic() + PAUSE_SECONDS
            return
        self.due = math.inf
        for runner in self._watched:
            self._say(runner.encode() + b"\n")

    def _say(self, text: bytes) -> None:
        try:
            os.write(self._pipe, text)
        except OSError:
            pass  # the guardian was killed; if we are too, the next pool on this host cleans up
