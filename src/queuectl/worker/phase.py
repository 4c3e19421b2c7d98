"""A phase, and the allowed changes between phases."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Generic, TypeVar

P = TypeVar("P", bound=Enum)


class Phases(Generic[P]):
    """Holds one thing's phase. ``allowed`` lists, for each phase, those that may follow it."""

    __slots__ = ("_allowed", "now")

    def __init__(self, first: P, allowed: Mapping[P, Collection[P]]) -> None:
        self.now = first
        self._allowed = allowed

    def enter(self, phase: P) -> bool:
        """Change to ``phase``; return False and change nothing if it may not follow the current phase."""
        if phase not in self._allowed[self.now]:
            return False
        self.now = phase
        return True
