"""Processes that outlive their attempt because we can't kill them.

We can't signal a process of another user (sudo, a setuid program); one that is stuck in the kernel does not die.
An attempt has not ended while one of its processes lives: its job keeps its worker and its lease, and no other
attempt of it starts.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Collection, Container, Iterable, Sequence

from queuectl.worker.attempt import descendants
from queuectl.worker.attempt.process import JobProcess, Unkillable
from queuectl.worker.attempt.process_tree import ProcessTable, ProcessTree, read_process
from queuectl.worker.loop import Loop, Once
from queuectl.worker.report import Reporter

FIRST_SECONDS = 0.01
"""Pause before the first check: what was killed is usually gone by then."""

LONGEST_SECONDS = 0.5
"""The longest pause between two checks."""

STUCK_SECONDS = 5.0
"""A process that is alive so long after SIGKILL can't be killed by anybody here."""

MOST_MARKS = 50
"""The most processes of a job that we record for those who clean up after us."""


class _Watched:
    """One attempt with survivors: its processes, and since when none of them should live."""

    def __init__(self, tree: ProcessTree, since: float) -> None:
        self.tree = tree
        self.since = since


class Survivors:
    """Kills what is left of attempts, and says what can't be killed.

    ``has_exited`` says whether an attempt's command has exited; then ``gone`` is called once nothing of it lives.
    ``noticed`` is called when we find that its processes can't be killed.
    """

    def __init__(
        self,
        loop: Loop,
        has_exited: Callable[[JobProcess], bool],
        noticed: Callable[[JobProcess], None],
        gone: Callable[[JobProcess], None],
    ) -> None:
        self._loop = loop
        self._has_exited = has_exited
        self._noticed = noticed
        self._gone = gone
        self._table = ProcessTable()
        self._watched: dict[JobProcess, _Watched] = {}
        self._strangers: set[int] = set()
        self._pause = FIRST_SECONDS
        self._next_look = Once(loop, self._look)

    def watch(self, running: JobProcess, orphans: Collection[int] = ()) -> None:
        """Watch an attempt whose processes were killed. ``orphans`` are of it too, though they left its session."""
        watched = self._watched.get(running)
        if watched is None:
            watched = _Watched(ProcessTree(running.pid, running.lease, self._table), self._loop.now)
            self._watched[running] = watched
        if orphans:
            self._table.forget()
            watched.tree.include(orphans)
        self._pause = FIRST_SECONDS
        self._next_look.plan(self._pause)

    def forget(self, running: JobProcess) -> None:
        """Nothing of this attempt lives."""
        self._watched.pop(running, None)

    def new_orphans(self, ours: Callable[[int], bool], running_jobs: Container[bytes]) -> set[int]:
        """Return processes that can't be killed and that no attempt is known to have left.

        They have just become our children, so they belong to the attempt that has just ended.
        """
        try:
            return self._new(descendants.immune_strays(ours, running_jobs))
        except OSError:
            return set()  # no free file descriptor to find them with

    def outlived(self, immune: list[int]) -> None:
        """Report processes that have outlived jobs whose result is recorded already."""
        found = self._new(immune)
        self._strangers = (self._strangers & set(immune)) | found
        for pid in sorted(found):
            Reporter.say(f"{_in_words([pid])} has outlived its job and can't be killed")

    def tell(self) -> None:
        """Say which jobs keep this pool from stopping."""
        for running in self._watched:
            if running.unkillable:
                Reporter.say(
                    f"job {running.lease.job_id[:8]} is still running: {running.unkillable.words} can't be killed."
                    " This pool stays until it exits, so that the job does not run twice"
                )

    def _new(self, immune: Iterable[int]) -> set[int]:
        return set(immune).difference(
            self._strangers, *(watched.tree.known() for watched in self._watched.values())
        )

    def _look(self) -> None:
        self._table.forget()
        for running, watched in list(self._watched.items()):
            self._check(running, watched)
        if self._watched:
            self._pause = min(self._pause * 2, LONGEST_SECONDS)
            self._next_look.plan(self._pause)

    def _check(self, running: JobProcess, watched: _Watched) -> None:
        exited = self._has_exited(running)
        if exited and not running.group_lives() and not watched.tree.known():
            self._end(running)
            return
        try:
            alive = watched.tree.kill_all() if sys.platform == "linux" else {}
        except OSError:
            return  # no free file descriptor: check again
        if exited and not alive and not running.group_lives():
            self._end(running)
            return
        immune = [pid for pid in sorted(alive) if descendants.is_immune(pid)]
        if not immune and self._loop.now - watched.since > STUCK_SECONDS:
            immune = sorted(alive)
        if immune and not running.unkillable:
            running.unkillable = describe(immune)
            running.leader_is_immune = running.pid in immune and not exited
            self._noticed(running)

    def _end(self, running: JobProcess) -> None:
        self.forget(running)
        self._gone(running)


def describe(pids: Sequence[int]) -> Unkillable:
    """Describe these processes, for people and for those who clean up after us."""
    found = {pid: read_process(pid) for pid in pids[:MOST_MARKS]}
    marks = ",".join(f"{pid}:{process.started}" for pid, process in found.items() if process)
    return Unkillable(marks, _in_words(pids))


def pids_of(marks: str) -> set[int]:
    """Return the pids in ``pid:start,...``."""
    return {int(pid) for pid, _, _ in (mark.partition(":") for mark in marks.split(",")) if pid.isdigit()}


def living(marks: str) -> set[int]:
    """Return those of the marked processes that are still alive."""
    found = set()
    for mark in marks.split(","):
        pid, _, started = mark.partition(":")
        process = read_process(int(pid)) if pid.isdigit() else None
        if process and process.tasks and str(process.started) == started:
            found.add(int(pid))
    return found


def _in_words(pids: Sequence[int]) -> str:
    """``process 4711 (sleep) of root and 2 more``."""
    first, more = pids[0], len(pids) - 1
    return f"process {first} ({_name(first)}) of {_owner(first)}" + (f" and {more} more" if more else "")


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"


def _owner(pid: int) -> str:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return "another user"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
