"""One run: producers, pools and a storm, until everything is drained; then the checker reads the records."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from cli import end_everything
from queuectl.errors import QueuectlError
from queuectl.model.lifecycle import JobState
from queuectl.server.embedded import EmbeddedServer
from queuectl.storage.calls.workers import overview

from . import history, survey
from .nemesis import NEMESES, Storm
from .network import Network
from .shortages import left_out, small_disks
from .survey import Sampler
from .system import LEASE_SECONDS, System

SHARES = (0.1, 0.45, 0.45)
"""Of the jobs, for each producer: those that start a program for each job would take the machine for themselves."""

BOUND_SECONDS = 60.0
TESTS = Path(__file__).parents[1]
UNFINISHED = (JobState.PENDING, JobState.PROCESSING, JobState.FAILED)


class Plan(NamedTuple):
    """The settings of a run: the jobs added over ``seconds``, with a fault about every ``gap_seconds``."""

    jobs: int = 2_000
    seconds: float = 60.0
    gap_seconds: float = 1.0
    seed: int = 0
    nemeses: tuple[str, ...] = tuple(NEMESES)
    network: bool = False


@contextmanager
def sandbox(*, small: bool = False) -> Iterator[None]:
    """Create a state folder, named in this process's environment; remove it at the end.

    ``small``: on disks that a fault can fill, where the machine allows it.
    """
    folder = Path(tempfile.mkdtemp(prefix="qctl-"))
    (folder / "config.toml").touch()
    before = dict(os.environ)
    os.environ.update(QUEUECTL_HOME=str(folder / "h"), QUEUECTL_CONFIG=str(folder / "config.toml"))
    os.environ["QUEUECTL_ALLOW_ROOT"] = "yes"
    try:
        with small_disks(folder / "h") if small else nullcontext():
            try:
                yield
            finally:
                end_everything(folder / "h")
                EmbeddedServer(str(folder / "h")).stop()
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder)


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Create the folder with what jobs need, and enter it: jobs run where they are added."""
    shutil.copy(Path(__file__).parent / "job.sh", folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def perform(plan: Plan, folder: Path) -> history.History:
    """Do the run, in an empty folder, with the environment's state folder."""
    shutil.copy(Path(__file__).parent / "job.sh", folder)
    recorder = history.Recorder(folder / "events.jsonl")
    recorder.note("run", lease_seconds=LEASE_SECONDS, bound_seconds=BOUND_SECONDS, plan=plan._asdict())
    with line_to_servers(folder) if plan.network else nullcontext() as network:
        system = System(folder, network=network)
        return _perform(plan, folder, recorder, system)


@contextmanager
def line_to_servers(folder: Path) -> Iterator[Network]:
    """Start servers in the network for this run, named in the environment."""
    network = Network(folder)
    os.environ["QUEUECTL_REDIS_URL"] = network.url
    try:
        yield network
    finally:
        end_everything(Path(os.environ["QUEUECTL_HOME"]))
        network.close()
        del os.environ["QUEUECTL_REDIS_URL"]


def _perform(plan: Plan, folder: Path, recorder: history.Recorder, system: System) -> history.History:
    system.keep_up()
    producers = [_producer(number, plan, folder) for number in range(len(SHARES))]
    sampler = Sampler(history.Recorder(folder / "samples.jsonl"))
    sampler.start()
    try:
        skipped = left_out(system.home, plan.nemeses)
        recorder.note("left_out", why=skipped)
        names = [name for name in plan.nemeses if name not in skipped]
        _rage(Storm(system, recorder, plan.seed, names), system, plan, producers)
        for producer in producers:
            assert producer.wait(BOUND_SECONDS) == 0, "a producer failed"
        _until_done(system)
        recorder.note("drained")
        system.drain()
    finally:
        sampler.end()
        for producer in producers:
            producer.kill()
            producer.wait()
    recorder.note("final", **system.aftermath())
    recorder.close()
    system.close()
    return history.read(folder)


def _rage(storm: Storm, system: System, plan: Plan, producers: list[subprocess.Popen[bytes]]) -> None:
    """Trigger faults at random times, until the time is over."""
    rng = random.Random(f"{plan.seed} gaps")
    now = time.monotonic()
    end, next_strike = now + plan.seconds, now + plan.gap_seconds
    while now < end or any(producer.poll() is None for producer in producers):
        if now >= next_strike and now < end and storm.strike():
            next_strike = now + plan.gap_seconds * rng.uniform(0.5, 1.5)
        storm.make_good()
        system.keep_up()
        time.sleep(0.02)
        now = time.monotonic()
    storm.make_good(all_of_it=True)


def _until_done(system: System) -> None:
    """Wait until no job waits or runs. The checker judges the time it took, so our patience is longer."""
    give_up = time.monotonic() + 2 * BOUND_SECONDS
    left: dict[str, int] = {"unknown": 1}
    while any(left.values()):
        assert time.monotonic() < give_up, f"it does not drain: {left}"
        system.keep_up()
        try:
            with survey.server() as queue:
                jobs = queue.run(overview()).jobs
            left = {state.value: jobs[state] for state in UNFINISHED}
        except QueuectlError:
            left = {"unknown": 1}
        time.sleep(0.05)


def _producer(number: int, plan: Plan, folder: Path) -> subprocess.Popen[bytes]:
    shares = [round(plan.jobs * share) for share in SHARES[1:]]
    share = [plan.jobs - sum(shares), *shares][number]
    words = [str(number), str(share), f"{plan.seconds * 0.85:g}", str(plan.seed), "durable" * plan.network]
    return subprocess.Popen(
        [sys.executable, "-m", "chaos.producers", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},  # by the true clock, which dates its records
        stdin=subprocess.DEVNULL,
    )
