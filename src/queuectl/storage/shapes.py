"""What a reply must look like.

A shape is a function that says whether a reply fits. Each call names the shape of its reply, so whatever reaches a
parser is what the script or command gives, and nothing else: an error, a proxy's answer or another server's idea of
the command is refused in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Shape = Callable[[Any], bool]

_HEX = frozenset(b"0123456789abcdef")
_TEXT_OR_NONE = frozenset({bytes, type(None)})


def text(reply: Any) -> bool:
    """Any bytes."""
    return type(reply) is bytes


def texts(reply: Any) -> bool:
    """A list of any bytes."""
    return type(reply) is list and {bytes}.issuperset(map(type, reply))


def texts_or_none(reply: Any) -> bool:
    """A list of bytes, None in the place of what is missing."""
    return type(reply) is list and _TEXT_OR_NONE.issuperset(map(type, reply))


def fields(reply: Any) -> bool:
    """A flat list of field, value, field, value ..."""
    return texts(reply) and len(reply) % 2 == 0


def count(reply: Any) -> bool:
    """A number from 0."""
    return type(reply) is int and reply >= 0


def flag(reply: Any) -> bool:
    """The number 0 or 1."""
    return type(reply) is int and reply in (0, 1)


def digits(reply: Any) -> bool:
    """A whole number from 0, as text."""
    return type(reply) is bytes and reply.isdigit() and len(reply) <= 20


def seconds(reply: Any) -> bool:
    """A number of seconds or a time, as text such as ``12.345678``; the scripts write no other form."""
    return type(reply) is bytes and reply.replace(b".", b"", 1).isdigit() and len(reply) <= 400


def score(reply: Any) -> bool:
    """A score of a sorted set: other programs may have put any number there."""
    if type(reply) is not bytes or len(reply) > 400:
        return False
    try:
        return float(reply) == float(reply)  # not NaN, which no sorted set holds
    except ValueError:
        return False


def job_id(reply: Any) -> bool:
    """The id of a job that a script accepts as one."""
    return type(reply) is bytes and 4 <= len(reply) <= 32 and _HEX.issuperset(reply)


def nothing(reply: Any) -> bool:
    """Nothing is there."""
    return reply is None


def word(*words: bytes) -> Shape:
    """One of these words."""
    return lambda reply: type(reply) is bytes and reply in words


def either(*shapes: Shape) -> Shape:
    """Any of these shapes."""
    return lambda reply: any(shape(reply) for shape in shapes)


def row(*shapes: Shape) -> Shape:
    """A list of this length, each part with its own shape."""
    return lambda reply: (
        type(reply) is list
        and len(reply) == len(shapes)
        and all(shape(part) for shape, part in zip(shapes, reply, strict=True))
    )


def many(shape: Shape, *, exactly: int | None = None, most: int | None = None) -> Shape:
    """A list of parts of the same shape, any number of them unless it is given."""
    return lambda reply: (
        type(reply) is list
        and (exactly is None or len(reply) == exactly)
        and (most is None or len(reply) <= most)
        and all(map(shape, reply))
    )


def repeated(*shapes: Shape) -> Shape:
    """A flat list in which these shapes follow each other again and again."""
    width = len(shapes)
    return lambda reply: (
        type(reply) is list
        and len(reply) % width == 0
        and all(all(map(shape, reply[at::width])) for at, shape in enumerate(shapes))
    )


def headed(*head: Shape, rest: Shape) -> Shape:
    """A list that begins with these parts; all others have the shape ``rest``."""
    begins, width = row(*head), len(head)
    return lambda reply: type(reply) is list and begins(reply[:width]) and all(map(rest, reply[width:]))
