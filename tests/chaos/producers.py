"""A producer: a process of its own that adds jobs, and writes down which of them were acknowledged.

`python -m chaos.producers NUMBER JOBS SECONDS SEED`, in the folder of the run.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cli import finish, spawn
from queuectl.errors import QueuectlError
from queuectl.producer import Producer
from queuectl.storage import RedisStorage

from .history import Recorder
from .kinds import KINDS, Kind, option_words

BATCH = 15
PATIENCE_SECONDS = 60.0
"""A job that can't be added for so long ends the run: the server should be back by then."""

REFUSAL = "nothing was stored"
"""Said of a job that is certain not to be there; of one whose answer was lost nobody knows."""

Add = Callable[[Kind, int], tuple[list[str], int, str]]
"""Adds so many jobs of a kind: ids that were acknowledged, how many are uncertain, and why."""


def by_command(kind: Kind, count: int) -> tuple[list[str], int, str]:
    """`queuectl enqueue COMMAND`, one job."""
    answer = finish(spawn("enqueue", *option_words(kind.options), kind.command))
    return answer.lines, 0 if answer.code == 0 else 1, answer.err


def from_lines(kind: Kind, count: int) -> tuple[list[str], int, str]:
    """`queuectl enqueue --from -`."""
    process = spawn("enqueue", "--from", "-", *option_words(kind.options), stdin=subprocess.PIPE)
    answer = finish(process, (kind.command + "\n").encode() * count)
    return answer.lines, 0 if answer.code == 0 else count - len(answer.lines), answer.err


class ByProgram:
    """Through the classes, with a connection that stays."""

    def __init__(self) -> None:
        self._producer = Producer(RedisStorage())

    def __call__(self, kind: Kind, count: int) -> tuple[list[str], int, str]:
        ids: list[str] = []
        try:
            for chunk in self._producer.enqueue_many([kind.command.encode()] * count, kind.options):
                ids += chunk
        except QueuectlError as error:
            return ids, count - len(ids), error.message
        return ids, 0, ""


WAYS: list[tuple[Callable[[], Add], int]] = [
    (lambda: by_command, 1),
    (lambda: from_lines, BATCH),
    (ByProgram, 5),
]
"""How jobs are added, and how many at a time."""


def produce(number: int, jobs: int, seconds: float, seed: int) -> None:
    """Add so many jobs, spread over so many seconds."""
    rng = random.Random(f"{seed} producer {number}")
    recorder = Recorder(Path(f"producer-{number}.jsonl"))
    make, most = WAYS[number % len(WAYS)]
    add = make()
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
            recorder.note("acknowledged", job=name, ids=ids)
        if uncertain:
            kind = "refused" if REFUSAL in why else "unacknowledged"
            recorder.note(kind, job=name, count=uncertain, why=why)
            assert "Traceback" not in why, why
            assert time.monotonic() < give_up, f"no job could be added: {why}"
            time.sleep(0.1)
        count -= len(ids)


if __name__ == "__main__":
    produce(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
