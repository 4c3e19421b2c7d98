"""A short look for what is absurdly slow: `python -m benchmarks --smoke`, a part of every check of a change.

Most of it is counted, not timed, and gives the same on every machine: commands that the server runs for one call
with few jobs and with many, bytes of a job, commands that an idle pool sends. What is timed is compared with
something else in the same round, counts with its best round, and fails only when it is three times worse than its
target: a busy machine makes both slow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from benchmarks import command_start, contest, memory, scale
from benchmarks.command_count import CommandCount, Monitor
from benchmarks.figures import ratios, short
from benchmarks.sandbox import Sandbox
from benchmarks.targets import TARGETS, Target

LENIENCE = 3
SIZES = (1_000, 20_000)

START_OF_BARE_PYTHON = Target(12, at_least=False)
"""A `queuectl enqueue` as a multiple of `python -c pass`: about 3.7 when nothing is wrong."""

MORE_COMMANDS = Target(1.1, at_least=False)
"""Commands with many jobs, of those with few: the same, but for what happens to be in a page."""

COMMANDS_OF_A_CALL = {"enqueue": 16, "claim": 14, "finish": 7}
"""That the server runs for one plain job; tests/storage/test_command_budget.py counts them exactly."""

IDLE_COMMANDS = Target(10, at_least=False)
"""That an idle pool of 8 sends in a second: less than one, unless somebody polls."""


class Check(NamedTuple):
    """Something looked at: its value, and the bound that it must keep."""

    name: str
    value: float
    bound: Target

    @property
    def passed(self) -> bool:
        """Whether it keeps the bound."""
        return self.bound.met(self.value)

    def line(self) -> str:
        """For people."""
        return f"{'ok  ' if self.passed else 'FAIL'} {self.name}: {short(self.value)} ({self.bound.words()})"


def run(checks: Iterable[Check]) -> int:
    """Print what was found; gives the exit code."""
    begun = time.monotonic()
    failures = 0
    for check in checks:
        print(check.line(), flush=True)
        failures += not check.passed
    print(f"{failures} of them failed." if failures else f"All in order, in {time.monotonic() - begun:.0f} s.")
    return 1 if failures else 0


def checks() -> Iterator[Check]:
    """All that is looked at, each as soon as it is known."""
    for looks in (_calls, _bytes, _idle_pool, _drain, _start):
        yield from looks()


def _calls() -> Iterator[Check]:
    """One call with many jobs against the same with few: commands that the server runs, and time."""
    with Sandbox("everysec") as sandbox:
        acts = scale.queues(sandbox, SIZES)
        times = scale.timed(acts, rounds=3, turns=15)
        few, many = SIZES
        for name in acts[few]:
            counts = [_commands(sandbox, acts[size][name]).total for size in SIZES]
            yield Check(f"{name}: commands, many jobs of few", counts[1] / counts[0], MORE_COMMANDS)
            if name in COMMANDS_OF_A_CALL:
                yield Check(
                    f"{name}: commands of one job", counts[0], Target(COMMANDS_OF_A_CALL[name], at_least=False)
                )
            ratio = min(ratios(times[name, many], times[name, few]))
            yield Check(f"{name}: time, many jobs of few", ratio, TARGETS["scale"].loosened(LENIENCE))


def _commands(sandbox: Sandbox, call: Callable[[], object]) -> CommandCount:
    with Monitor(sandbox) as monitor:
        call()
        return monitor.take()


def _bytes() -> Iterator[Check]:
    with Sandbox("everysec") as sandbox:
        yield Check("bytes of a pending job", memory.bytes_each(sandbox, SIZES[1]), TARGETS["memory"].loosened(1.2))


def _idle_pool() -> Iterator[Check]:
    seconds = 2.0
    with Sandbox() as sandbox, sandbox.pool(8), Monitor(sandbox) as monitor:
        monitor.take()
        time.sleep(seconds)
        yield Check("commands a second of an idle pool", monitor.take().sent / seconds, IDLE_COMMANDS)


def _drain() -> Iterator[Check]:
    with Sandbox() as sandbox:
        commands = [b"echo x > /dev/null"] * 200
        rounds = [contest.xargs(commands, 4) / contest.queuectl(sandbox, commands, 4).drain for _ in range(3)]
    yield Check("drain of no-op jobs, of xargs -P4", max(rounds), TARGETS["drain-4-always"].loosened(LENIENCE))


def _start() -> Iterator[Check]:
    with Sandbox() as sandbox:
        times = command_start.timed(sandbox, rounds=3, turns=2)
    ratio = min(ratios(times[command_start.ENQUEUE], times[command_start.BARE]))
    yield Check("queuectl enqueue, of bare Python", ratio, START_OF_BARE_PYTHON)
