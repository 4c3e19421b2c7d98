"""Faults in which the machine runs out of something: disk space, processes, open files.

Each needs a right that not every machine gives: `left_out` says which faults are impossible here, and why.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .blow import Blow
from .network import FAKE_TIME
from .system import System

HOME_MEGABYTES, LOGS_MEGABYTES = 64, 8
SHORTAGE_SECONDS = 1.5
PIDS = Path("/sys/fs/cgroup/pids")
"""Root is above RLIMIT_NPROC; a control group of version 1 holds it."""

_short: set[int] = set()
"""Processes whose limit is lowered now."""


@contextmanager
def small_disks(home: Path) -> Iterator[bool]:
    """Put the state folder and the logs on separate small disks in memory; return False if that is not allowed."""
    mounted: list[Path] = []
    try:
        for folder, megabytes in ((home, HOME_MEGABYTES), (home / "logs", LOGS_MEGABYTES)):
            folder.mkdir(mode=0o700)
            options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs"]
            if os.geteuid() or subprocess.run(["mount", *options, folder], stderr=subprocess.DEVNULL).returncode:
                break
            mounted.append(folder)
        yield len(mounted) == 2
    finally:
        for folder in reversed(mounted):
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill_disk(system: System, rng: random.Random) -> Blow | None:
    """Fill the disk of the state folder: append-only file, the server's files and the pools' records."""
    return _fill(system.home)


def fill_log_disk(system: System, rng: random.Random) -> Blow | None:
    """Fill only the disk of the logs."""
    return _fill(system.home / "logs")


def no_processes(system: System, rng: random.Random) -> Blow | None:
    """Let a pool and its runners start no process: fork fails with EAGAIN."""
    if not (pools := system.pools()):
        return None
    family = system.family(rng.choice(pools))
    if os.geteuid() == 0:
        group = PIDS / f"chaos-{os.getpid()}-{rng.getrandbits(32):08x}"
        group.mkdir()
        (group / "pids.max").write_text("0")
        before = [pid for pid in family if _move(pid, group)]

        def undo() -> None:
            for pid in (group / "cgroup.procs").read_text().split():
                _move(int(pid), PIDS)
            group.rmdir()

        return Blow(before, undo, SHORTAGE_SECONDS)
    return _limit(family, resource.RLIMIT_NPROC, dict.fromkeys(family, 0))


def no_descriptors(system: System, rng: random.Random) -> Blow | None:
    """Let a pool and its runners open no more files: EMFILE."""
    if not (pools := system.pools()):
        return None
    family = system.family(rng.choice(pools))
    if len(family) == 1:
        return None  # it is just starting, and a program that can open no file at all does not start
    return _limit(family, resource.RLIMIT_NOFILE, {pid: _open_files(pid) for pid in family})


def left_out(home: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the faults that are impossible here -> why."""
    why = {}
    if not os.path.ismount(home):
        why |= dict.fromkeys(("fill_disk", "fill_log_disk"), "no small disk may be mounted here")
    if os.geteuid() == 0 and not os.access(PIDS / "cgroup.procs", os.W_OK):
        why["no_processes"] = "root is above the limit of processes, and there is no control group for it here"
    if not FAKE_TIME:
        why["shift_server_clock"] = "the library libfaketime is missing"
    return {name: reason for name, reason in why.items() if name in names}


def _fill(folder: Path) -> Blow | None:
    ballast = folder / "ballast"
    if not os.path.ismount(folder) or ballast.exists():
        return None
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return Blow((), ballast.unlink, SHORTAGE_SECONDS)


def _limit(family: list[int], what: int, most: dict[int, int]) -> Blow | None:
    before = {}
    for pid in set(family) - _short:  # otherwise we would later restore the shortage
        try:
            soft, hard = resource.prlimit(pid, what)
            resource.prlimit(pid, what, (most[pid], hard))
            before[pid] = (soft, hard)
        except (OSError, ValueError):
            continue  # it has just exited

    _short.update(before)

    def undo() -> None:
        _short.difference_update(before)
        for pid, limits in before.items():
            try:
                resource.prlimit(pid, what, limits)
            except OSError:
                continue

    return Blow(before, undo, SHORTAGE_SECONDS) if before else None


def _open_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _move(pid: int, group: Path) -> bool:
    try:
        (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        return False  # it has just exited
    return True
