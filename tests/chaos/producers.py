"""A producer: a separate process that adds jobs, and records which were acknowledged.

`python -m chaos.producers NUMBER JOBS SECONDS SEED`, in the folder of the run.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

from cli import Answer, finish, spawn
from queuectl.errors import QueuectlError
from queuectl.manager.queue_manager import QueueManager
from queuectl.storage import RedisStorage

from .history import Recorder
from .kinds import KINDS, Kind, option_words

BATCH = 15
PATIENCE_SECONDS = 60.0
"""A job that can't be added for so long ends the run: the server should be back by then."""

REFUSALS = ("nothing was stored", "newer than this queuectl")
"""Said of a job that is certain not to be there; of one whose answer was lost nobody knows."""


class Add(Protocol):
    """Adds jobs of a kind; returns the acknowledged ids, the number of uncertain ones, and why.

    ``durable``: whether acknowledged jobs are on the disks of the server and its replica.
    """

    durable: bool

    def __call__(self, kind: Kind, count: int) -> tuple[list[str], int, str]: ...


class ByCommand:
    """`queuectl enqueue COMMAND`, one job."""

    def __init__(self, *, durable: bool) -> None:
        self.durable = durable
        self._words = ["--durable"] if durable else []

    def __call__(self, kind: Kind, count: int) -> tuple[list[str], int, str]:
        answer = finish(spawn("enqueue", *self._words, *option_words(kind.options), kind.command))
        return self._told(answer, 1)

    def _told(self, answer: Answer, count: int) -> tuple[list[str], int, str]:
        # Ids are printed before it is known whether they are durable.
        ids = answer.lines if answer.code == 0 or not self.durable else []
        return ids, 0 if answer.code == 0 else count - len(ids), answer.err


class FromLines(ByCommand):
    """`queuectl enqueue --from -`."""

    def __call__(self, kind: Kind, count: int) -> tuple[list[str], int, str]:
        words = ["enqueue", "--from", "-", *self._words, *option_words(kind.options)]
        answer = finish(spawn(*words, stdin=subprocess.PIPE), (kind.command + "\n").encode() * count)
        return self._told(answer, count)


class ByProgram:
    """Add jobs through the classes, over one lasting connection; never durable."""

    durable = False

    def __init__(self, *, durable: bool) -> None:
        self._manager = QueueManager(RedisStorage())

    def __call__(self, kind: Kind, count: int) -> tuple[list[str], int, str]:
        ids: list[str] = []
        try:
            self._manager.enqueue_many([kind.command.encode()] * count, kind.options, on_added=ids.extend)
        except QueuectlError as error:
            return ids, count - len(ids), error.message
        return ids, 0, ""


WAYS: list[tuple[type[ByCommand] | type[ByProgram], int]] = [(ByCommand, 1), (FromLines, BATCH), (ByProgram, 5)]
"""How jobs are added, and how many at a time."""


def produce(number: int, jobs: int, seconds: float, seed: int, *, durable: bool) -> None:
    """Add ``jobs`` jobs, spread over ``seconds``."""
    rng = random.Random(f"{seed} producer {number}")
    recorder = Recorder(Path(f"producer-{number}.jsonl"))
    make, most = WAYS[number % len(WAYS)]
    add: Add = make(durable=durable)
    names, shares = list(KINDS), [kind.share for kind in KINDS.values()]
    began, done = time.monotonic(), 0
    while done < jobs:
        (name,) = rng.choices(names, shares)
        _add_all(recorder, add, name, count := min(most, jobs - done))
        done += count
        time.sleep(max(0.0, began + seconds * done / jobs - time.monotonic()))
    recorder.close()


def _add_all(recorder: Recorder, add: Add, name: str, count: int) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while count > 0:
        ids, uncertain, why = add(KINDS[name], count)
        if ids:
            recorder.note("acknowledged", job=name, ids=ids, durable=add.durable)
        if uncertain:
            kind = "refused" if any(refusal in why for refusal in REFUSALS) else "unacknowledged"
            recorder.note(kind, job=name, count=uncertain, why=why)
            assert "Traceback" not in why, why
            assert time.monotonic() < give_up, f"no job could be added: {why}"
            time.sleep(0.1)
        count -= len(ids)


if __name__ == "__main__":
    produce(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), durable=sys.argv[5] != "")
