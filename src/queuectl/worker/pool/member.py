"""A runner, as its pool sees it."""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from queuectl.worker.report import Reporter
from queuectl.worker.runner.messages import PING, RESUMED, STOPPING
from queuectl.worker.runner.runner import Place
from queuectl.worker.shortage import in_words, is_shortage

CRASHED = 70
"""Exit code of a runner that failed with a traceback."""


class Member:
    """One runner, from start to exit. ``share`` has the numbers of its workers.

    The constructor forks. In the child it calls ``run`` with the child's end of the socket, and exits with the
    code that ``run`` returns. Raises OSError if the machine has no room for a process.
    """

    def __init__(self, place: Place, share: list[str], run: Callable[[int], int]) -> None:
        self.place = place
        self.share = share
        self.stopping = False
        """Whether it has said that it obeys the stop signal and only finishes its jobs."""
        self.asked_at: float | None = None
        """Since when it owes us an answer; None if it doesn't."""
        self.is_silent = False
        """Whether it has owed us an answer for long."""
        self._started_at = time.monotonic()
        self._socket, theirs = socket.socketpair()
        try:
            self.pid = os.fork()
        except OSError:
            theirs.close()
            self.close()
            raise
        if self.pid == 0:
            self._be_runner(theirs.fileno(), run)
        theirs.close()
        self._socket.setblocking(False)

    def _be_runner(self, descriptor: int, run: Callable[[int], int]) -> NoReturn:
        code = CRASHED
        try:
            self.close()
            code = run(descriptor)
        except BaseException as error:
            if isinstance(error, OSError) and is_shortage(error):
                Reporter.say(f"a runner can't work: {in_words(error)}")
            else:
                traceback.print_exc()
        finally:
            os._exit(code)

    @property
    def age_seconds(self) -> float:
        """Return the seconds since it was started."""
        return time.monotonic() - self._started_at

    def fileno(self) -> int:
        """Return the descriptor to watch for `hear`."""
        return self._socket.fileno()

    def hear(self) -> bytes:
        """Return what it has said since the last call, and update `stopping`."""
        try:
            said = self._socket.recv(64)
        except OSError:
            return b""
        if said:
            self.asked_at = None
        for byte in said:
            if byte in STOPPING + RESUMED:
                self.stopping = byte in STOPPING
        return said

    def tell(self, message: bytes) -> None:
        """Send it a message."""
        try:
            self._socket.send(message)
        except OSError:
            pass  # it has just exited

    def ask(self, now: float, *, anew: bool = False) -> None:
        """Have it say that it can answer, unless it owes us that already; with ``anew``, count from now."""
        if self.asked_at is None:
            self.tell(PING)
        if self.asked_at is None or anew:
            self.asked_at = now

    def kill(self) -> None:
        """SIGKILL it. It is our child, so its pid can't have been reused."""
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the socket: the runner has exited, or this is another child of the pool, which must not hold it."""
        self._socket.close()
