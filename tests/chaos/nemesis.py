"""The faults, one function each. A seeded generator chooses whom they hit, and the choice is recorded."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable

import cli
from queuectl.errors import QueuectlError
from steps import SCHEMA

from . import survey
from .blow import Blow, Nemesis
from .history import Recorder
from .network import cut_network, half_open_network, promote_replica, shift_server_clock, slow_network
from .shortages import fill_disk, fill_log_disk, no_descriptors, no_processes
from .system import LEASE_SECONDS, System


def kill_pool(system: System, rng: random.Random) -> Blow | None:
    """Kill only the pool's process."""
    return _kill_pool(system, rng, lambda pool: [pool])


def kill_runner(system: System, rng: random.Random) -> Blow | None:
    """Kill one runner."""
    if not (runners := list(system.runners())):
        return None
    runner = rng.choice(runners)
    _send(runner, signal.SIGKILL)
    return Blow([runner])


def kill_guardian(system: System, rng: random.Random) -> Blow | None:
    """Kill a guardian. Its pool starts another."""
    if not (guardians := list(system.guardians())):
        return None
    guardian = rng.choice(guardians)
    _send(guardian, signal.SIGKILL)
    return Blow([guardian])


def kill_pool_and_runners(system: System, rng: random.Random) -> Blow | None:
    """Kill the pool and its runners at once; the guardian must kill the jobs."""
    return _kill_pool(system, rng, system.family)


def kill_all(system: System, rng: random.Random) -> Blow | None:
    """Kill the pool, its guardian and its runners at once: nobody is left."""

    def all_of(pool: int) -> list[int]:
        return [*(pid for pid, parent in system.guardians().items() if parent == pool), *system.family(pool)]

    return _kill_pool(system, rng, all_of)


def freeze_runner(system: System, rng: random.Random) -> Blow | None:
    """Freeze one runner until well after its leases have ended, then let it continue."""
    if not (runners := list(system.runners())):
        return None
    runner = rng.choice(runners)
    _send(runner, signal.SIGSTOP)
    return Blow([runner], lambda: _send(runner, signal.SIGCONT), LEASE_SECONDS + 1.5)


def kill_server(system: System, rng: random.Random) -> Blow | None:
    """Kill the embedded server."""
    server = system.server_pid()
    if server is None:
        return None
    _send(server, signal.SIGKILL)
    return Blow([server])


def flush_scripts(system: System, rng: random.Random) -> Blow | None:
    """Make the server forget all scripts."""
    return Blow() if _tell_server("SCRIPT", "FLUSH") else None


def fill_memory(system: System, rng: random.Random) -> Blow | None:
    """Leave the server no memory for new jobs, for a second."""
    if not _tell_server("CONFIG", "SET", "maxmemory", "1"):
        return None
    return Blow((), lambda: _tell_server("CONFIG", "SET", "maxmemory", "0"), 1.0)


def drop_connections(system: System, rng: random.Random) -> Blow | None:
    """Make the server drop all connections."""
    return Blow() if _tell_server("CLIENT", "KILL", "TYPE", "normal") else None


def newer_schema(system: System, rng: random.Random) -> Blow | None:
    """Set a later schema version for a second: old programs must not touch the records."""
    if not _tell_server("SET", "queuectl:schema", str(SCHEMA + 1)):
        return None
    return Blow((), lambda: _tell_server("SET", "queuectl:schema", str(SCHEMA)), 1.0)


def foreign_records(system: System, rng: random.Random) -> Blow | None:
    """Add jobs as an older and a newer version may have written them."""
    planted = {kind: [f"{rng.getrandbits(64):016x}"] for kind in ("older", "newer")}
    commands = [
        line for kind, (job_id,) in planted.items() for line in survey.record_of(kind, job_id, system.folder)
    ]
    return Blow(planted=planted) if _tell_server_all([("MULTI",), *commands, ("EXEC",)]) else None


def shift_clock(system: System, rng: random.Random) -> Blow | None:
    """Shift the clock by an hour for all our Python programs."""
    system.set_clock(rng.choice((-3600.0, 3600.0)))
    return Blow((), lambda: system.set_clock(0.0), 2.0)


def stop_and_resume(system: System, rng: random.Random) -> Blow | None:
    """Run `worker stop`, and a second later `worker resume`."""
    if system.paused:
        return None
    system.paused = True
    stop = cli.spawn("worker", "stop", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def resume() -> None:
        if system.network is not None:
            system.network.proxy.heal()  # the storm is blocked here, and could not do it
        stop.wait(cli.LONGEST_SECONDS)
        answer = cli.run("worker", "resume", "--json", code=None)
        for line in answer.lines:
            system.adopt(json.loads(line)["pid"])
        system.paused = False

    return Blow(system.pools(), resume, 1.0)


def drain_twice(system: System, rng: random.Random) -> Blow | None:
    """Signal a pool to finish, and at once again: it puts its running jobs back."""
    if not (pools := system.pools()):
        return None
    pool = rng.choice(pools)
    _send(pool, signal.SIGTERM)
    time.sleep(0.05)  # two signals at the same time would be one
    _send(pool, signal.SIGTERM)
    return Blow([pool])


_LOCAL = (
    kill_runner,
    kill_server,
    freeze_runner,
    kill_pool,
    flush_scripts,
    kill_guardian,
    fill_memory,
    kill_pool_and_runners,
    stop_and_resume,
    kill_all,
    drain_twice,
    fill_disk,
    no_processes,
    no_descriptors,
    fill_log_disk,
    drop_connections,
    newer_schema,
    foreign_records,
    shift_clock,
)

_NETWORK = (
    slow_network,
    half_open_network,
    cut_network,
    promote_replica,
    shift_server_clock,
    kill_runner,
    kill_pool,
    freeze_runner,
    flush_scripts,
    drop_connections,
    stop_and_resume,
)

NEMESES: dict[str, Nemesis] = {nemesis.__name__: nemesis for nemesis in _LOCAL}
"""What is done to a queue on the embedded server."""

NETWORK_NEMESES: dict[str, Nemesis] = {nemesis.__name__: nemesis for nemesis in _NETWORK}
"""What is done to a queue on servers in the network."""

ALL: dict[str, Nemesis] = NEMESES | NETWORK_NEMESES

KILLS = {"kill_runner", "kill_pool", "kill_pool_and_runners", "kill_all"}
FREEZES = {"freeze_runner"}


AGAIN_SECONDS = 0.1
"""Until what could not be made good is tried again."""


class Storm:
    """Triggers faults now and then, each as often as the others, and undoes them when due."""

    def __init__(self, system: System, recorder: Recorder, seed: int, names: Iterable[str]) -> None:
        self._system = system
        self._recorder = recorder
        self._rng = random.Random(f"{seed} nemesis")
        self._names = list(names)
        self._round: list[str] = []
        self._number = 0
        self._pending: list[tuple[float, int, Callable[[], bool | None]]] = []

    def strike(self) -> bool:
        """Trigger the next fault; return False if there was nothing to break."""
        if not self._round:
            self._round = self._rng.sample(self._names, len(self._names))
        name = self._round.pop()
        began = time.time()
        blow = ALL[name](self._system, self._rng)
        if blow is None:
            return False
        self._number += 1
        self._recorder.note("fault", name=name, number=self._number, began=began, pids=list(blow.pids))
        if blow.uncertain:
            self._recorder.note("unacknowledged", job="", count=blow.uncertain, why=name)
        for kind, ids in blow.planted.items():
            self._recorder.note("acknowledged", job=kind, ids=ids)
        if blow.undo is not None:
            self._pending.append((time.monotonic() + blow.after_seconds, self._number, blow.undo))
        return True

    def make_good(self, *, all_of_it: bool = False) -> None:
        """Undo what is due, or wait until everything is undone."""
        give_up = time.monotonic() + cli.LONGEST_SECONDS
        while self._pending:
            due = min(self._pending)
            if not all_of_it and due[0] > time.monotonic():
                return
            time.sleep(max(0.0, due[0] - time.monotonic()))
            self._pending.remove(due)
            if due[2]() is False:  # another fault may have to be undone first
                assert time.monotonic() < give_up, f"what was broken by {due[1]} can't be made good"
                self._pending.append((due[0] + AGAIN_SECONDS, *due[1:]))
                continue
            self._recorder.note("healed", number=due[1])


def _kill_pool(system: System, rng: random.Random, whom: Callable[[int], list[int]]) -> Blow | None:
    if not (pools := system.pools()):
        return None
    pool = rng.choice(pools)
    affected, victims = system.family(pool), whom(pool)
    for pid in victims:
        _send(pid, signal.SIGKILL)
    return Blow({*affected, *victims})


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it exited first


def _tell_server(*words: str) -> bool:
    return _tell_server_all([words])


def _tell_server_all(commands: list[tuple[str, ...]]) -> bool:
    try:
        with survey.server() as queue:
            queue.exchange(commands)
    except QueuectlError:
        return False
    return True
