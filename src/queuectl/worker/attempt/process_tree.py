"""Measures what a job's processes use, from /proc.

A scan of /proc is not atomic, so a breach counts only if a second scan confirms it. If /proc can't be read at all
(EMFILE), this raises OSError: a process that we can't see must not count as dead.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from queuectl.model.job import Lease
from queuectl.worker.attempt import descendants
from queuectl.worker.attempt.descendants import HIDDEN

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")

STOP_ROUNDS = 50
"""Searches for processes that are not stopped yet, before we kill a job."""

STOP_SECONDS = 0.25
"""The longest that they may take in one go: the runner has other jobs."""


class Process(NamedTuple):
    """One process. ``started`` distinguishes it from an earlier one with the same pid.

    ``ticks`` is its CPU time and that of the children it has waited for. ``tasks`` is its number of threads, 0 for
    a zombie. ``pages`` counts the pages it has in memory, shared ones included.
    """

    parent: int
    session: int
    tasks: int
    ticks: int
    started: int
    pages: int


class ProcessTable:
    """All processes of this host, scanned once for all jobs."""

    def __init__(self) -> None:
        self._processes: dict[int, Process] | None = None
        self._children: dict[int, list[int]] = {}
        self._jobs: dict[tuple[int, int], bytes] = {}

    def forget(self) -> None:
        """Scan again when next asked."""
        self._processes = None

    @property
    def processes(self) -> dict[int, Process]:
        """Map pid to process."""
        if self._processes is None:
            processes = dict(_look())
            self._children = {}
            for pid, process in processes.items():
                self._children.setdefault(process.parent, []).append(pid)
            ours = ((pid, processes[pid].started) for pid in self._children.get(os.getpid(), ()))
            # Ask each process that we have just adopted, once, which job it belongs to.
            self._jobs = {key: self._jobs.get(key) or descendants.job_of(key[0]) for key in ours}
            self._processes = processes
        return self._processes

    def family(self, roots: set[int]) -> dict[int, Process]:
        """Return ``roots`` and all their descendants."""
        processes = self.processes
        found: dict[int, Process] = {}
        waiting = list(roots)
        while waiting:
            pid = waiting.pop()
            if pid not in found and pid in processes:
                found[pid] = processes[pid]
                waiting += self._children.get(pid, ())
        return found

    def adopted(self, job: bytes) -> set[int]:
        """Return our children that say they belong to ``job``."""
        processes = self.processes
        return {pid for (pid, _), owner in self._jobs.items() if owner == job and pid in processes}


class ProcessTree:
    """One job's processes: its session, their descendants, and any process once seen among these."""

    def __init__(self, leader: int, lease: Lease, table: ProcessTable) -> None:
        self._leader = leader
        self._job = lease.job_id.encode()
        self._limits = lease.job.options
        self._table = table
        self._known: dict[int, Process] = {}
        self._ticks_gone = 0
        self._stopped: set[tuple[int, int]] = set()
        self._rounds = STOP_ROUNDS

    def breach(self) -> str | None:
        """Return the name of an exceeded limit, if any."""
        name = self._measure()
        if name is None:
            return None
        self._table.forget()
        return self._measure()

    def end(self) -> bool:
        """SIGKILL all of them; return False if there are too many for one go and the caller must call again.

        First stop them all, until no search finds a running one: a stopped process starts no others, and its
        children can still be found through it. If we killed them one by one, a fork bomb would outrun us.
        """
        deadline = time.monotonic() + STOP_SECONDS
        while self._rounds and self._stop_more():
            if time.monotonic() > deadline:
                return False
        for pid, known in self._known.items():
            _send(pid, known, signal.SIGKILL)
        return True

    def include(self, pids: Iterable[int]) -> None:
        """Count these processes among the job's."""
        processes = self._table.processes
        self._known |= {pid: processes[pid] for pid in pids if pid in processes}

    def known(self) -> Collection[int]:
        """Return those that the last search found."""
        return self._known

    def kill_all(self) -> dict[int, Process]:
        """SIGKILL all of them; return those that were alive."""
        members = {pid: process for pid, process in self._members().items() if process.tasks}
        self._known = members
        for pid, process in members.items():
            _send(pid, process, signal.SIGKILL)
        return members

    def _stop_more(self) -> bool:
        """Stop the running ones; return whether there were any."""
        self._rounds -= 1
        self._table.forget()
        self._known = self._members()
        running = {key: known for key, known in _keys(self._known) if key not in self._stopped}
        for (pid, _), known in running.items():
            _send(pid, known, signal.SIGSTOP)
        self._stopped |= running.keys()
        return bool(running)

    def _measure(self) -> str | None:
        members = self._members()
        for (pid, started), process in _keys(self._known):
            same = pid in members and members[pid].started == started
            if not same and process.parent not in self._known:
                self._ticks_gone += process.ticks  # else its parent, which waited for it, has added them to its own
        self._known = members
        limits = self._limits
        if limits.max_processes and sum(member.tasks for member in members.values()) > limits.max_processes:
            return "max_processes"
        if limits.memory and self._memory() > limits.memory:
            return "memory"
        ticks = self._ticks_gone + sum(member.ticks for member in members.values())
        if limits.cpu_time and ticks > limits.cpu_time * _TICKS:
            return "cpu_time"
        return None

    def _members(self) -> dict[int, Process]:
        processes = self._table.processes
        roots = {pid for pid, process in processes.items() if process.session == self._leader}
        roots |= {
            pid
            for pid, known in self._known.items()
            if pid in processes and processes[pid].started == known.started
        }
        return self._table.family(roots | self._table.adopted(self._job))

    def _memory(self) -> int:
        resident = sum(member.pages for member in self._known.values()) * _PAGE_BYTES
        if resident <= self._limits.memory:
            return resident
        # Shared pages were counted once for each process. The exact figure is costly, and seldom needed.
        return sum(_proportional(pid, member) for pid, member in self._known.items())


def _look() -> Iterator[tuple[int, Process]]:
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := read_process(int(name))) is not None:
            yield int(name), process


def read_process(pid: int) -> Process | None:
    """Return what /proc says about a process; None if it is gone or hidden."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read().rpartition(b")")[2].split()
    except HIDDEN:
        return None
    ticks = sum(map(int, fields[11:15]))
    tasks = 0 if fields[0] in (b"Z", b"X") else int(fields[17])
    return Process(int(fields[1]), int(fields[3]), tasks, ticks, int(fields[19]), int(fields[21]))


def _send(pid: int, known: Process, number: signal.Signals) -> None:
    descendants.send_same(pid, partial(_is_same, pid, known), number)


def _is_same(pid: int, known: Process) -> bool:
    process = read_process(pid)
    return process is not None and process.started == known.started


def _keys(processes: dict[int, Process]) -> Iterator[tuple[tuple[int, int], Process]]:
    for pid, process in processes.items():
        yield (pid, process.started), process


def _proportional(pid: int, process: Process) -> int:
    """Return the bytes of memory of a process, with shared memory divided by the number of sharers."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith((b"Pss:", b"SwapPss:"))) * 1024
    except HIDDEN:
        return process.pages * _PAGE_BYTES  # another user's sharers can't be known, so count all of it
