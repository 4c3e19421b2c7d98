"""Makes damaged states from a real append-only file, each from a seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from queuectl.server import journal

PAGE = 4096

Damage = Callable[[Path, Random], str]
"""Damages the files of a journal's folder; returns what it did, in words."""


def zeros_at_the_end(folder: Path, random: Random) -> str:
    """A file system that had extended the file, but not written its end."""
    path = _increment(folder)
    start, count = random.randint(0, path.stat().st_size), random.choice([1, 512, PAGE, 3 * PAGE])
    with path.open("r+b") as file:
        file.truncate(start)
        file.truncate(start + count)
    return f"{count} zeros from byte {start} to the end of {path.name}"


def cut_short(folder: Path, random: Random) -> str:
    """A file system that had not extended the file yet."""
    path = random.choice([*_files(folder), folder / journal.MANIFEST])
    size = random.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.truncate(size)
    return f"{path.name} cut to {size} bytes"


def torn_pages(folder: Path, random: Random) -> str:
    """Pages that did not reach the disk, between others that did."""
    path = _increment(folder)
    pages = random.sample(range(path.stat().st_size // PAGE + 1), k=random.randint(1, 2))
    for page in pages:
        _write(path, page * PAGE, bytes(min(PAGE, path.stat().st_size - page * PAGE)))
    return f"pages {pages} of {path.name} are zeros"


def reordered_writes(folder: Path, random: Random) -> str:
    """Two pages that changed places."""
    path = _increment(folder)
    content = path.read_bytes()
    one, other = random.sample(range(len(content) // PAGE), k=2)
    for page, source in ((one, other), (other, one)):
        _write(path, page * PAGE, content[source * PAGE : (source + 1) * PAGE])
    return f"pages {one} and {other} of {path.name} are swapped"


def flipped_bit(folder: Path, random: Random) -> str:
    """A disk or a memory that lies."""
    path = random.choice([*_files(folder), folder / journal.MANIFEST])
    at = random.randrange(path.stat().st_size)
    bit = 1 << random.randrange(8)
    _write(path, at, bytes([path.read_bytes()[at] ^ bit]))
    return f"bit {bit} of byte {at} of {path.name} flipped"


def partial_copy(folder: Path, random: Random) -> str:
    """A copy or restore that was interrupted, or that took some of the files only."""
    names = sorted(path.name for path in folder.iterdir())
    lost = random.sample(names, k=random.randint(1, len(names)))
    for name in lost:
        (folder / name).unlink()
    return f"without {', '.join(lost)}"


def without_folder(folder: Path, _random: Random) -> str:
    """A copy that left out the folder."""
    shutil.rmtree(folder)
    return "without the folder"


KINDS: tuple[Damage, ...] = (
    zeros_at_the_end,
    cut_short,
    torn_pages,
    reordered_writes,
    flipped_bit,
    partial_copy,
)


def _files(folder: Path) -> list[Path]:
    return [folder / file.name for file in journal.remains(folder)]


def _increment(folder: Path) -> Path:
    return _files(folder)[-1]


def _write(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)
