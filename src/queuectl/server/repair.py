"""Repair an append-only file: keep what the server can read, and a copy of everything as it was."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from queuectl.errors import QueuectlError
from queuectl.server import checkup, journal, launch, losses, paths
from queuectl.server.checkup import Finding
from queuectl.server.journal import JournalFile


class Repair(NamedTuple):
    """What was done. ``copy`` is where the files are as they were; None if there was nothing to repair."""

    finding: Finding
    copy: str | None


def check(home: str) -> Finding:
    """Check the append-only file of a state folder; its server may run."""
    directory = Path(paths.prepare(home))
    with launch.usable(home), checkup.snapshot(directory) as copy:
        return checkup.check(copy, running=launch.is_locked(f"{directory}/valkey.pid"))


def repair(home: str) -> Repair:
    """Keep the longest part that the server can read. Raises `QueuectlError` if it runs, or nothing can be kept."""
    directory = Path(paths.prepare(home))
    folder = directory / journal.FOLDER
    with launch.usable(home), launch.held(str(directory)):
        finding = checkup.check(folder)
        if not finding.problems:
            return Repair(finding, None)
        if finding.kept is None:
            raise _unrepairable(directory, finding.problems)
        copy = beside(directory, "before-repair")
        shutil.copytree(folder, copy)
        _sync_all(copy)
        _cut(folder, finding.kept, finding.cut)
        losses.forget_sizes(str(directory))
    return Repair(finding, str(copy))


def _unrepairable(directory: Path, problems: list[str]) -> QueuectlError:
    """Return the error for data that nothing can be saved of."""
    from shlex import quote

    folder = quote(str(directory / journal.FOLDER))
    return QueuectlError(
        " ".join([*problems, "Nothing can be saved of the rest."]),
        "Restore a backup: queuectl server restore FILE --replace. "
        f"To begin with an empty queue, and keep the files: mv {folder} {folder}.damaged",
    )


def beside(directory: Path, why: str) -> Path:
    """Return a free name for a copy of the journal, with the time."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = (f"{journal.FOLDER}.{why}-{stamp}{suffix}" for suffix in ("", *(f".{n}" for n in range(2, 1000))))
    return next(directory / name for name in names if not os.path.lexists(directory / name))


def write_manifest(folder: Path, files: list[JournalFile]) -> None:
    """Replace the manifest, at once and on the disk."""
    fresh = folder / f"{journal.MANIFEST}.new"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(journal.manifest_text(files).encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / journal.MANIFEST)
    paths.sync_folder(str(folder))


def _cut(folder: Path, kept: list[JournalFile], cut: int) -> None:
    """Bring the files to what is kept. The manifest comes first: until then, they still are what was found."""
    write_manifest(folder, kept)
    with (folder / kept[-1].name).open("r+b") as file:
        file.truncate(cut)
        os.fsync(file.fileno())
    for file_left in set(journal.remains(folder)) - set(kept):
        (folder / file_left.name).unlink()
    paths.sync_folder(str(folder))


def _sync_all(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    paths.sync_folder(str(folder))
    paths.sync_folder(str(folder.parent))
