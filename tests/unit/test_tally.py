"""A pool's final summary of all its jobs."""

from __future__ import annotations

import os

import pytest

from queuectl.model.outcome import CANCELLED, COMPLETED, DEAD, RETRY
from queuectl.worker.tally import Tally, in_words


def test_what_a_process_counted_is_there_after_its_death() -> None:
    tally = Tally()
    pid = os.fork()
    if pid == 0:
        for verdict in (COMPLETED, RETRY, DEAD, COMPLETED):
            tally.count(verdict)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert tally.totals() == [2, 1, 0]


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ([], "0 jobs completed, in 0.0 s"),
        ([COMPLETED], "1 job completed, in 0.0 s"),
        ([COMPLETED, COMPLETED, CANCELLED, DEAD], "2 jobs completed, 1 dead, 1 cancelled, in 0.0 s"),
    ],
)
def test_only_what_there_is_is_named(ended: list[str], words: str) -> None:
    tally = Tally()
    for verdict in ended:
        tally.count(verdict)
    assert in_words(tally.totals(), 0.04) == words
