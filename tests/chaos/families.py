"""Shapes of processes that a job may start, and situations that must end them all.

All shapes run in one pool. Then we trigger the situation, and time each shape until no process of it is left.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cli
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.workers import overview
from waiting import wait_until

GRACE_SECONDS = 0.5
BOUND_SECONDS = GRACE_SECONDS + 2.0
"""None is alive after so long, on a machine that has nothing else to do."""

GIVE_UP_SECONDS = 20.0

QUIET_LOOKS = 6
LOOK_SECONDS = 0.05
"""A look at all processes may miss one that has just been started by one that has just ended."""

READY = ': > "$QUEUECTL_JOB_ID"'

SHAPES = {
    "child": f"sleep 1000 & {READY}",
    "grandchild": f'sh -c \'sh -c "sleep 1000; :" & sh -c "sleep 1000; :"; :\' & {READY}',
    "double fork": f"setsid sh -c '(sleep 1000 & sh -c \"(sleep 1000 &)\" &)'; {READY}",
    "setsid": f"setsid sh -c 'setsid sleep 1000 & sleep 1000 & wait' & setsid sleep 1000 & {READY}",
    "ignores TERM": f"trap '' TERM; setsid sh -c 'while :; do sleep 0.05; done' & {READY}",
    "fork loop": f"sh relay 1 & (for i in $(seq 20); do setsid sleep 1000 & done; {READY}; wait) &",
}
"""What the leader starts; it then goes on, see `_command`."""

RELAY = "[ $1 = 400 ] && exec sleep 1000; sleep 0.01; setsid sh relay $(($1 + 1)) & exit"
"""A process that is never there: it starts the next, in a session of its own, and ends. Up to a bound."""


class Trial(NamedTuple):
    """The running jobs, shape -> id, the pool that runs them, and its storage."""

    jobs: dict[str, str]
    pool: subprocess.Popen[bytes]
    queue: RedisStorage

    def alive(self) -> set[str]:
        """Return the shapes whose first run has any process left."""
        marks = {b"QUEUECTL_JOB_ID=" + job_id.encode(): shape for shape, job_id in self.jobs.items()}
        found = set()
        for pid in cli.processes_with(b"QUEUECTL_FENCE=1"):
            found |= {marks[entry] for entry in _environment(pid) if entry in marks}
        return found


class Situation(NamedTuple):
    """An event that ends jobs. ``happens`` returns the time from which they must be gone."""

    happens: Callable[[Trial], float]
    options: tuple[str, ...] = ()


def _now(what: Callable[[Trial], object]) -> Callable[[Trial], float]:
    def happens(trial: Trial) -> float:
        what(trial)
        return time.time()

    return happens


def _time_out(trial: Trial) -> float:
    started = [cli.job(trial.queue, job_id).started_at for job_id in trial.jobs.values()]
    due = max(at for at in started if at is not None) + TIMEOUT_SECONDS
    assert time.time() < due, "they were not all there in time"
    time.sleep(due - time.time())
    return due


def _second_signal(trial: Trial) -> None:
    trial.pool.send_signal(signal.SIGTERM)
    wait_until(lambda: all(state == "draining" for state in _states(trial)))
    trial.pool.send_signal(signal.SIGTERM)


def _states(trial: Trial) -> list[str]:
    return [worker.status for worker in reads.workers(trial.queue, trial.queue.run(overview()).workers)]


def _kill_all_and_start_another(trial: Trial) -> float:
    cli.kill_at_once([*cli.children_of(trial.pool.pid), trial.pool.pid])
    trial.pool.wait()
    assert trial.alive() == SHAPES.keys(), "nobody was there to end them"
    began = time.time()
    cli.run("worker", "start", "--burst", "--quiet")
    return began


TIMEOUT_SECONDS = 3.0

SITUATIONS = {
    "timeout": Situation(_time_out, ("--timeout", str(TIMEOUT_SECONDS))),
    "cancelled": Situation(_now(lambda trial: cli.run("cancel", *trial.jobs.values()))),
    "drain, second signal": Situation(_now(_second_signal)),
    "pool killed": Situation(_now(lambda trial: cli.kill_at_once([trial.pool.pid]))),
    "runners killed": Situation(_now(lambda trial: cli.kill_at_once(cli.runners_of(trial.pool)))),
    "pool and runners killed": Situation(
        _now(lambda trial: cli.kill_at_once([trial.pool.pid, *cli.runners_of(trial.pool)]))
    ),
    "all killed, next pool": Situation(_kill_all_and_start_another),
    "leader ends": Situation(_now(lambda trial: Path("gate").touch())),
    "output limit": Situation(_now(lambda trial: Path("flood").touch()), ("--max-output", "1000")),
    "process limit": Situation(_now(lambda trial: Path("swarm").touch()), ("--max-processes", "40")),
}


def _command(shape: str) -> str:
    """Return the shape, with a leader that breaks its limits when told to. A second run just exits."""
    signs = "[ -e flood ] && yes; [ -e swarm ] && for i in $(seq 45); do sleep 1000 & done && sleep 1000"
    return f"[ $QUEUECTL_FENCE = 1 ] || exit 0; {SHAPES[shape]}\nuntil [ -e gate ]; do {signs}; sleep 0.05; done"


def attempt(situation: Situation) -> dict[str, float]:
    """Trigger the situation for all shapes; return the seconds after which each had no process left."""
    with _folder(), RedisStorageHere() as queue, cli.pool(queue, count=len(SHAPES), grace=GRACE_SECONDS) as pool:
        commands = "\0".join(map(_command, SHAPES)).encode()
        options = ("--max-retries", "0", *situation.options)
        ids = cli.run("enqueue", "--from", "-", "--null", *options, stdin=commands).lines
        jobs = dict(zip(SHAPES, ids, strict=True))
        trial = Trial(jobs, pool, queue)
        wait_until(lambda: all(Path(job_id).exists() for job_id in jobs.values()))
        for job_id in jobs.values():
            cli.wait_for(queue, job_id, JobState.PROCESSING)
        since = situation.happens(trial)
        return _time_until_gone(trial, since)


def _time_until_gone(trial: Trial, since: float) -> dict[str, float]:
    gone: dict[str, float] = {}
    quiet = dict.fromkeys(SHAPES, 0)
    while left := [shape for shape in SHAPES if quiet[shape] < QUIET_LOOKS]:
        now, alive = time.time(), trial.alive()
        for shape in left:
            if shape in alive:
                quiet[shape] = 0
                gone[shape] = float("inf")
            else:
                quiet[shape] += 1
                gone[shape] = min(gone.get(shape, float("inf")), now - since)
        if now > since + GIVE_UP_SECONDS:
            break
        time.sleep(LOOK_SECONDS)
    return gone


class RedisStorageHere(RedisStorage):
    """Open this environment's queue, and close it at the end of the block."""

    def __enter__(self) -> RedisStorageHere:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _folder() -> Iterator[None]:
    before, folder = os.getcwd(), tempfile.mkdtemp(prefix="families-")
    os.chdir(folder)
    try:
        Path("relay").write_text(RELAY)
        yield
    finally:
        os.chdir(before)
        shutil.rmtree(folder)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
