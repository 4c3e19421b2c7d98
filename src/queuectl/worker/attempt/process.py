"""One attempt: a job's command, from its start to the outcome that we report."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

from queuectl.logs.writer import LogWriter
from queuectl.model import cause
from queuectl.model.job import Lease
from queuectl.model.outcome import CANCELLED, COMPLETED, CRASHED, DEAD, HANDED_BACK, RETRY, Outcome
from queuectl.worker.attempt.spawn import CannotStart
from queuectl.worker.timers import Timer

READ_BYTES = 65_536
"""A pipe's default capacity, so one read empties it."""


class Ending(NamedTuple):
    """Why we kill a process ourselves, and what we then report; see `queuectl.model.cause`."""

    verdict: str
    cause: str = ""


TIMED_OUT = Ending(RETRY, cause.TIMEOUT)
OUTPUT_EXCEEDED = Ending(RETRY, "max_output")
BY_PERSON = Ending(CANCELLED, cause.CANCELLED)
BY_DRAIN = Ending(HANDED_BACK)
BY_POOL_DEATH = Ending(CRASHED)
LEASE_LOST = Ending("")
"""Another worker may have the job: report nothing."""


class Unkillable(NamedTuple):
    """Processes that can't be killed: as ``pid:start,...`` with the kernel's start times, and in words."""

    marks: str
    words: str


class JobProcess:
    """A running command. The runner's loop tells it about events; it never waits for anything."""

    __slots__ = ("_open_log", "_room", "ending", "leader_is_immune", "lease", "log", "output", "pid", "started_at",
                 "timer", "unkillable", "watched", "worker")  # fmt: skip

    def __init__(
        self,
        lease: Lease,
        worker: str,
        pid: int,
        output: int,
        open_log: Callable[[Lease], LogWriter],
        started_at: float,
    ) -> None:
        self.lease = lease
        self.worker = worker
        self.pid = pid
        self.output: int | None = output
        self.watched = False
        self.log: LogWriter | None = None
        self._open_log = open_log
        self._room = lease.job.options.max_output or sys.maxsize
        self.started_at = started_at
        self.ending: Ending | None = None
        self.timer: Timer | None = None
        self.unkillable: Unkillable | None = None
        self.leader_is_immune = False
        """Whether the command's own process can't be killed: then only its own exit ends it."""

    def read_output(self) -> bool:
        """Move the pipe's contents to the log; return False at the pipe's end."""
        assert self.output is not None
        try:
            data = os.read(self.output, READ_BYTES)
        except BlockingIOError:
            return True
        if data:
            self._keep(data)
        return bool(data)

    @property
    def overflow(self) -> Ending | None:
        """Why to stop the job if it has printed too much, else None."""
        return OUTPUT_EXCEEDED if self._room < 0 else None

    def _keep(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0:
            data = data[: max(0, len(data) + self._room)]
        if self.log is None:
            self.log = self._open_log(self.lease)
        self.log.write(data)

    def ask_to_end(self, ending: Ending) -> None:
        """SIGTERM the group. We report the first ending."""
        self.ending = self.ending or ending
        self.signal_group(signal.SIGTERM)

    def kill(self, ending: Ending) -> None:
        """SIGKILL the group."""
        self.ending = self.ending or ending
        self.signal_group(signal.SIGKILL)

    def signal_group(self, number: int) -> None:
        """Signal the whole group. Only before the leader is reaped: until then its id can't be reused."""
        try:
            os.killpg(self.pid, number)
        except OSError:
            pass  # the last one has just exited, or none of them is ours to signal: see `survivors`

    def group_lives(self) -> bool:
        """Whether any process is in the group; also once the leader is reaped, as only signal 0 is sent."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # all of them are another user's
        return True

    def note(self, text: str) -> None:
        """Add a line of ours to the log."""
        if self.log is None:
            self.log = self._open_log(self.lease)
        self.log.write(f"queuectl: {text}\n".encode("utf-8", "replace"))

    def finish(self) -> None:
        """After the leader and its group have exited: take the rest of the output, close pipe and log."""
        if self.output is not None:
            # A process that left the group may hold the pipe and keep writing: read no more than a full pipe.
            for _ in range(17):
                try:
                    data = os.read(self.output, READ_BYTES)
                except OSError:
                    break
                if not data:
                    break
                self._keep(data)
            self.close_output()
        if self.log is not None:
            self.log.close()

    def close_output(self) -> None:
        """Stop reading from the pipe."""
        if self.output is not None:
            os.close(self.output)
            self.output = None

    def outcome(self, status: int, now: float) -> Outcome | None:
        """Return the outcome to report for a wait status, or None; ``now`` is by the clock of ``started_at``.

        A command that we could not stop has run to its own end: its result counts, and the job does not run again.
        """
        duration = now - self.started_at
        detail = f"{self.unkillable.words} could not be killed" if self.unkillable else ""
        ending = self.ending or self.overflow
        if ending and not (self.leader_is_immune and ending in (BY_DRAIN, BY_POOL_DEATH)):
            if not ending.verdict:
                return None
            if ending.verdict == RETRY:
                return failure(self.lease, None, ending.cause, detail, duration=duration)
            return Outcome(ending.verdict, None, ending.cause, detail, duration)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return Outcome(COMPLETED, 0, duration=duration)
        why, shown = (cause.of_signal(-code), 128 - code) if code < 0 else (cause.of_exit(code), code)
        return failure(self.lease, shown, why, detail, duration=duration)


def failure(lease: Lease, exit_code: int | None, why: str, detail: str = "", *, duration: float = 0.0) -> Outcome:
    """Return a failed attempt's outcome: the job is retried if its policy allows."""
    job = lease.job
    if job.policy.allows_retry(job.attempts + 1):
        return Outcome(RETRY, exit_code, why, detail, duration, job.policy.delay_seconds(job.attempts))
    return Outcome(DEAD, exit_code, why, detail, duration)


def not_started(lease: Lease, error: CannotStart) -> Outcome:
    """Return the outcome of an attempt whose command could not be started."""
    return failure(lease, error.exit_code, cause.START, error.reason)
