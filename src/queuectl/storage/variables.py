"""Environment variables as one value of a hash: ``NAME=value`` joined by NUL bytes, as in /proc/PID/environ."""

from __future__ import annotations

from collections.abc import Mapping


def pack(variables: Mapping[bytes, bytes]) -> bytes:
    """Pack variables in sorted order, so that jobs with the same variables share one record."""
    return b"\0".join(name + b"=" + value for name, value in sorted(variables.items()))


def unpack(packed: bytes) -> dict[bytes, bytes]:
    """Undo `pack`; skip parts without ``=``."""
    pairs = (part.partition(b"=") for part in packed.split(b"\0"))
    return {name: value for name, equals, value in pairs if equals}
