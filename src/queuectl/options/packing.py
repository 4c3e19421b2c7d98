"""Packs named values into one field: ``memory=536870912 cpu_time=10``. The last one of a name counts.

Blanks and % in a value are written as %XX, as in a URL; so does `enqueue.lua`.
"""

from __future__ import annotations

from collections.abc import Mapping

_ESCAPES = {bytes([code]): b"%%%02X" % code for code in b"% \t\n\v\f\r"}
"""Character to escape; % comes first, so that no escape is escaped again."""


def pack(values: Mapping[str, bytes]) -> bytes:
    """Pack values of any bytes."""
    return b" ".join(b"%s=%s" % (name.encode(), _escaped(value)) for name, value in values.items())


def unpack(packed: bytes) -> dict[str, bytes]:
    """Reverse `pack`."""
    parts = (part.partition(b"=") for part in packed.split())
    return {name.decode("utf-8", "replace"): _unescaped(value) for name, _, value in parts}


def _escaped(value: bytes) -> bytes:
    if not value.isalnum():
        for character, escape in _ESCAPES.items():
            value = value.replace(character, escape)
    return value


def _unescaped(value: bytes) -> bytes:
    if b"%" in value:
        for character, escape in reversed(_ESCAPES.items()):
            value = value.replace(escape, character)
    return value
