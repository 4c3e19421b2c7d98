"""Read the commands of an append-only file, to find where its whole part ends."""

from __future__ import annotations

import mmap
from array import array
from pathlib import Path
from typing import NamedTuple

_LONGEST_HEAD = 32
_MOST = 512 * 1024 * 1024  # the most arguments, and bytes of one, that the server itself takes


class Scan(NamedTuple):
    """What a file of commands holds."""

    size: int
    whole: int
    """Up to here it consists of whole commands and whole transactions."""
    problem: str
    """What is at ``stopped_at``; empty if all is well, or if the file only ends too early."""
    stopped_at: int
    ends: array[int]
    """Where each command or transaction ends."""

    @property
    def is_short(self) -> bool:
        """Whether only the end of the last command or transaction is missing."""
        return self.whole < self.size and not self.problem


class _Bad(Exception):
    """No command is here."""


class _Short(Exception):
    """The file ends within a command."""


def scan(path: Path, size: int | None = None) -> Scan:
    """Read the commands of the first ``size`` bytes of a file, by default all. Raises `OSError`."""
    size = path.stat().st_size if size is None else size
    ends = array("Q")
    if not size:
        return Scan(0, 0, "", 0, ends)
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
        at, problem, inside = 0, "", False
        try:
            while at < size:
                name, at = _command(data, at, size)
                if name == b"MULTI":
                    if inside:
                        raise _Bad("a transaction within another")
                    inside = True
                elif name == b"EXEC":
                    inside = False
                if not inside:
                    ends.append(at)
        except _Bad as bad:
            problem = str(bad)
        except _Short:
            pass
    return Scan(size, ends[-1] if ends else 0, problem, at, ends)


def _command(data: mmap.mmap, at: int, size: int) -> tuple[bytes, int]:
    """Return a command's name in capitals, and where it ends."""
    if data[at] == 0x23:  # '#': a note of the time, which the server can be told to write
        return b"", _end_of_line(data, at, size, 1024)
    count, at = _number(data, at, size, b"*")
    if count < 1:
        raise _Bad("a command without a name")
    name = b""
    for position in range(count):
        length, at = _number(data, at, size, b"$")
        if at + length + 2 > size:
            raise _Short
        if data[at + length : at + length + 2] != b"\r\n":
            raise _Bad("a value that does not end where it should")
        if not position:
            name = data[at : at + min(length, 64)].upper()
        at += length + 2
    return name, at


def _number(data: mmap.mmap, at: int, size: int, mark: bytes) -> tuple[int, int]:
    """Read ``*3\\r\\n``; return the number, and where the line ends."""
    if at >= size:
        raise _Short
    if data[at : at + 1] != mark:
        raise _Bad("zeros" if data[at] == 0 else "something other than a command")
    end = _end_of_line(data, at, size, _LONGEST_HEAD)
    digits = data[at + 1 : end - 2]
    if not digits.isdigit() or int(digits) > _MOST:
        raise _Bad("an invalid length")
    return int(digits), end


def _end_of_line(data: mmap.mmap, at: int, size: int, longest: int) -> int:
    end = data.find(b"\r\n", at, at + longest)
    if end >= 0:
        return end + 2
    if at + longest > size:
        raise _Short
    raise _Bad("a line without an end")
