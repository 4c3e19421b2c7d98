"""The guardian: a small process beside each pool; it ends the jobs' processes if pool and runners are killed.

The pool writes the names of its runners into a pipe, one a line; runners hold the pipe open too. When it
closes without the last word, everybody at the other end was killed, and the guardian ends all processes that
carry one of these names in their environment. It has a session and a command line of its own, so that whatever
killed the pool is unlikely to have been meant for it.

Until then it is a shell that reads, with a tenth of the memory of an interpreter: that is started only when it is
needed.
"""

from __future__ import annotations

import os
import subprocess
import sys

import queuectl
from queuectl.worker.pool.guardian_process import LAST_WORD

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


class Guardian:
    """The pool's side."""

    def __init__(self) -> None:
        self._reader, self._pipe = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or another one in its place, at the same pipe: the runners that live hold its other end."""
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _WAIT, "guardian"],
            env={**os.environ, "INTERPRETER": sys.executable, "PROGRAM": _PROGRAM},
            stdin=self._reader,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    @property
    def pid(self) -> int:
        """Its process; 0 before the first start."""
        return self._process.pid if self._process else 0

    def watch(self, runner: str) -> None:
        """The jobs of this runner are to be ended if we die."""
        self._say(runner.encode() + b"\n")

    def dismiss(self) -> None:
        """We end in order: there is nothing left to end."""
        self._say(LAST_WORD + b"\n")
        self.let_go()

    def let_go(self) -> None:
        """This process is none of those whose death the guardian waits for."""
        os.close(self._pipe)
        os.close(self._reader)

    def _say(self, text: bytes) -> None:
        try:
            os.write(self._pipe, text)
        except OSError:
            pass  # it was killed; the next pool on this host would clean up instead
