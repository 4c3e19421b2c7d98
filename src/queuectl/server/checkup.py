"""Check an append-only file, and find the part of it that can be kept."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from queuectl.errors import ServerUnreachable
from queuectl.server import journal, trial
from queuectl.server.journal import BASE, Damage, JournalFile
from queuectl.server.scan import Scan, scan

_TRIES = 20
_DAY_SECONDS = 86_400


class Finding(NamedTuple):
    """What a check found."""

    problems: list[str]
    """Each in a sentence; none if the server can read everything."""
    kept: list[JournalFile] | None
    """The files that can be read; None if nothing can be saved. Empty before the first write."""
    cut: int
    """How much of the last of them can be read, in bytes."""
    size: int
    """Bytes in all files."""
    lost: int
    """Bytes that can't be kept."""


@contextmanager
def snapshot(directory: Path) -> Iterator[Path]:
    """Give a folder with one consistent set of the journal's files, also while the server writes.

    They are hard links: the server only appends to its files and removes them, so what was there stays readable.
    """
    with _workspace(directory) as copy:
        for _ in range(_TRIES):
            if _linked(directory / journal.FOLDER, copy):
                yield copy
                return
        raise ServerUnreachable("The server replaces its files too fast to copy them.", "Try again.")


def check(folder: Path, *, running: bool = False) -> Finding:
    """Check the journal in ``folder``, which nobody writes to: a snapshot, or the server is locked out.

    ``running``: the last file may end within a write. The server program reads the result as the last proof.
    """
    problems: list[str] = []
    size = sum(journal.sizes(folder, journal.remains(folder)).values())
    kept = _files(folder, problems)
    if not kept:
        return Finding(problems, kept, 0, size, size if kept is None else 0)
    kept, cut, scans = _whole_part(folder, kept, problems, running=running)
    if kept:
        refusal = _refusal(folder, kept, cut)
        if refusal:
            problems.append(f"The server can't read it: {refusal}")
            kept, cut = _largest_readable(folder, kept, scans, cut)
    if not kept:
        return Finding(problems, None, 0, size, size)
    left = sum(journal.sizes(folder, kept[:-1]).values()) + cut
    return Finding(problems, kept, cut, size, size - left)


def _files(folder: Path, problems: list[str]) -> list[JournalFile] | None:
    """Return the files to read, by the manifest, or without what is missing; none before the first write."""
    files: list[JournalFile] | None = None
    try:
        files = journal.read_manifest(folder)
        if files is None:
            return []
    except Damage as damage:
        problems.append(str(damage))
        files = damage.kept
    while files:
        try:
            journal.check_files(folder, files)
        except Damage as damage:
            problems.append(str(damage))
            files = damage.kept
        else:
            return files
    return None


def _whole_part(
    folder: Path, files: list[JournalFile], problems: list[str], *, running: bool
) -> tuple[list[JournalFile] | None, int, list[Scan | None]]:
    """Read all commands; return the files up to the first problem, how much of the last is whole, what was read."""
    scans: list[Scan | None] = []
    for at, file in enumerate(files):
        found = scan(folder / file.name) if file.is_text else None
        scans.append(found)
        if found is None or found.whole == found.size:
            continue
        if not (running and found.is_short and at == len(files) - 1):
            problems.append(_described(file, found))
        return (None if file.kind == BASE else files[: at + 1]), found.whole, scans
    last = folder / files[-1].name
    return files, last.stat().st_size, scans


def _described(file: JournalFile, found: Scan) -> str:
    if found.is_short:
        return (
            f"{file.name} ends within a write: {found.size - found.whole:,} of {found.size:,} bytes are incomplete."
        )
    return f"{file.name} has {found.problem} at byte {found.stopped_at:,} of {found.size:,}."


def _largest_readable(
    folder: Path, files: list[JournalFile], scans: list[Scan | None], cut: int
) -> tuple[list[JournalFile] | None, int]:
    """Find by halving how much the server can read: it reads in order, so what it refuses stays refused."""

    def readable(count: int, size: int) -> bool:
        return not _refusal(folder, files[:count], size)

    sizes = [journal.sizes(folder, [file])[file.name] for file in files[:-1]] + [cut]
    count = next((n for n in range(1, len(files)) if not readable(n, sizes[n - 1])), len(files))
    found = scans[count - 1]
    if count == 1 or found is None:
        return None, 0
    ends = [0, *(end for end in found.ends if end <= sizes[count - 1])]
    first_bad = bisect_left(ends, True, key=lambda end: not readable(count, end)) if ends else 0
    return (files[:count], ends[first_bad - 1]) if first_bad else (None, 0)


def _refusal(folder: Path, files: list[JournalFile], cut: int) -> str:
    """Return why the server refuses these files, the last one cut; empty if it reads them."""
    with _workspace(folder) as copy:
        target = copy / journal.FOLDER
        target.mkdir(mode=0o700)
        for file in files[:-1]:
            link(folder / file.name, target / file.name)
        copy_part(folder / files[-1].name, target / files[-1].name, cut)
        return trial.refusal(copy, files)


def copy_part(source: Path, target: Path, size: int) -> None:
    """Copy the first ``size`` bytes of a file into a new private one, and onto the disk."""
    with (
        source.open("rb") as file,
        os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to,
    ):
        left = size
        while left:
            piece = file.read(min(left, 1 << 20))
            if not piece:
                break
            to.write(piece)
            left -= len(piece)
        to.flush()
        os.fsync(to.fileno())


def link(source: Path, target: Path) -> None:
    """Link a file, or copy it where the file system has no links. Raises `FileNotFoundError`."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        copy_part(source, target, source.stat().st_size)


def _linked(source: Path, copy: Path) -> bool:
    """Link all files of the journal; return False if the server replaced some meanwhile."""
    for path in copy.iterdir():
        path.unlink()
    before = _manifest_bytes(source)
    try:
        for file in journal.remains(source):
            link(source / file.name, copy / file.name)
    except FileNotFoundError:
        return False
    if before is not None:
        (copy / journal.MANIFEST).write_bytes(before)
        for path in copy.iterdir():
            if not path.stat().st_size and path.name.encode() not in before:
                path.unlink()  # the server has just created it, and will write to it
    return _manifest_bytes(source) == before


def _manifest_bytes(folder: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return (folder / journal.MANIFEST).read_bytes()
    return None


@contextmanager
def _workspace(beside: Path) -> Iterator[Path]:
    """Give a new private folder on the same disk, removed afterwards."""
    parent = beside if beside.name != journal.FOLDER else beside.parent
    _remove_old(parent)
    path = Path(tempfile.mkdtemp(prefix="check-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _remove_old(parent: Path) -> None:
    """Remove the folders of checks and restores that were killed: their links keep old files on the disk."""
    for pattern in ("check-*", "restore-*"):
        for path in parent.glob(pattern):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _DAY_SECONDS:
                    shutil.rmtree(path)
