"""The append-only file on the disk: a folder with a manifest, a base file and what was written since.

The server appends each write to the newest *increment*. A rewrite makes a new base of all data, and begins the next
increment. The manifest names the files that count, in the order in which they are read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"

BASE, INCREMENT, HISTORY = "b", "i", "h"

_FILE = re.compile(r"appendonly\.aof\.(\d{1,18})\.(base\.rdb|base\.aof|incr\.aof)", re.ASCII)
_LINE = re.compile(
    r"file (?P<name>\S+) seq (?P<number>[1-9]\d{0,17}) type (?P<kind>[bih])(?: [a-z]+ \d+)*", re.ASCII
)


class JournalFile(NamedTuple):
    """A line of the manifest."""

    name: str
    number: int
    kind: str

    @property
    def is_text(self) -> bool:
        """Whether it holds commands, and no snapshot."""
        return self.name.endswith(".aof")


class Damage(Exception):
    """Why the files can't be read: a sentence. ``kept``: those that perhaps can, in their order."""

    def __init__(self, message: str, kept: list[JournalFile] | None = None) -> None:
        super().__init__(message)
        self.kept = kept


def read_manifest(folder: Path) -> list[JournalFile] | None:
    """Return the files that count, base first; None if there is no journal yet. Raises `Damage`."""
    try:
        text = (folder / MANIFEST).read_bytes().decode("latin-1")  # any bytes, each for itself
    except FileNotFoundError:
        left = remains(folder)
        if all(file.number == 1 and (file.kind == BASE or not _size(folder, file)) for file in left):
            return None  # the very first start was interrupted: nothing was written yet
        raise Damage(f"{MANIFEST} is missing.", _rebuilt(left)) from None
    files = [_parsed(line) for line in text.split("\n") if line]
    known = [file for file in files if file is not None and file.kind != HISTORY]
    if (
        not text.endswith("\n")
        or None in files
        or [file.kind for file in known] != sorted(file.kind for file in known)
        or not known
    ):
        raise Damage(f"{MANIFEST} is damaged.", _rebuilt(remains(folder)))
    _check_unnamed(folder, {file.name for file in files if file is not None})
    return known


def _check_unnamed(folder: Path, named: set[str]) -> None:
    """Raise `Damage` if an increment with content is not in the manifest: the server would ignore its writes.

    The server names an increment before it writes to it. A base may be there without a name, from a rewrite that
    was interrupted.
    """
    left = remains(folder)
    for file in left:
        if file.kind == INCREMENT and file.name not in named and _size(folder, file):
            raise Damage(f"{MANIFEST} does not name {file.name}.", _rebuilt(left))


def check_files(folder: Path, files: list[JournalFile]) -> None:
    """Check that all files of the manifest are there. Raises `Damage`.

    The server itself takes an empty base for a queue without jobs, and says nothing.
    """
    for at, file in enumerate(files):
        if not (folder / file.name).is_file():
            # Without its base the rest means nothing; what precedes a missing increment is whole.
            raise Damage(f"{file.name} is missing.", files[:at] or None)
        if file.kind == BASE and not _size(folder, file):
            raise Damage(f"{file.name} is empty; a base never is.")


def remains(folder: Path) -> list[JournalFile]:
    """Return all files of a journal that are in the folder, base first, oldest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _FILE.fullmatch(path.name)
        if match:
            kind = BASE if match[2].startswith("base") else INCREMENT
            found.append(JournalFile(path.name, int(match[1]), kind))
    return sorted(found, key=lambda file: (file.kind, file.number))


def manifest_text(files: list[JournalFile]) -> str:
    """Return the manifest of these files."""
    return "".join(f"file {file.name} seq {file.number} type {file.kind}\n" for file in files)


def sizes(folder: Path, files: list[JournalFile]) -> dict[str, int]:
    """Return each file's size; a missing one has 0."""
    return {file.name: _size(folder, file) for file in files}


def _parsed(line: str) -> JournalFile | None:
    match = _LINE.fullmatch(line)
    if match is None or not _FILE.fullmatch(match["name"]):
        return None
    return JournalFile(match["name"], int(match["number"]), match["kind"])


def _rebuilt(left: list[JournalFile]) -> list[JournalFile] | None:
    """Return the only order in which these can be read; None if there are several, or a part is missing.

    Besides its base, a journal may still hold the files that this base has replaced.
    """
    increments = [file.number for file in left if file.kind == INCREMENT]
    if sum(file.kind == BASE for file in left) != 1 or not increments:
        return None
    gapless = increments == list(range(increments[0], increments[0] + len(increments)))
    return left if gapless else None


def _size(folder: Path, file: JournalFile) -> int:
    try:
        return (folder / file.name).stat().st_size
    except FileNotFoundError:
        return 0


def is_file_name(name: str) -> bool:
    """Whether a journal has files of this name."""
    return name == MANIFEST or _FILE.fullmatch(name) is not None
