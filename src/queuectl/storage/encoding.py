"""How plain values are written in the server: flat lists, numbers, environment variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def mapping(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """``[field, value, field, value ...]`` as a mapping."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def number_text(value: float) -> str:
    """A number as the hash stores it: ``2`` rather than ``2.0``, and nothing lost."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def pack_limits(limits: Mapping[str, float]) -> str:
    """A job's limits as one value, ``memory=536870912 cpu_time=10``; those of 0 are none, and left out."""
    return " ".join(f"{name}={number_text(value)}" for name, value in limits.items() if value)


def pack_variables(variables: Mapping[bytes, bytes]) -> bytes:
    """Environment variables as one value, ``NAME=value`` joined by NUL bytes as in /proc/PID/environ."""
    return b"\0".join(name + b"=" + value for name, value in sorted(variables.items()))


def unpack_variables(packed: bytes) -> dict[bytes, bytes]:
    """The inverse of `pack_variables`; parts without ``=`` are passed over."""
    pairs = (part.partition(b"=") for part in packed.split(b"\0"))
    return {name: value for name, equals, value in pairs if equals}
