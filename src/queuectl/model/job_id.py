"""What an id looks like."""

from __future__ import annotations

DIGITS = frozenset("0123456789abcdef")
SHORTEST = 4
"""Characters of the shortest prefix that stands for an id, and of the shortest id."""

LONGEST = 32


def is_id(text: str) -> bool:
    """Whether this could be an id, or the beginning of one that is long enough."""
    return SHORTEST <= len(text) <= LONGEST and DIGITS.issuperset(text)
