"""The phase that something is in, and the changes that are allowed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Generic, TypeVar

P = TypeVar("P", bound=Enum)


class Phases(Generic[P]):
    """Holds the phase of one thing. ``allowed`` names the phases that may follow each."""

    __slots__ = ("_allowed", "now")

    def __init__(self, first: P, allowed: Mapping[P, Collection[P]]) -> None:
        self.now = first
        self._allowed = allowed

    def enter(self, phase: P) -> bool:
        """Change to ``phase``. Gives False, and changes nothing, where it may not follow the present one."""
        if phase not in self._allowed[self.now]:
            return False
        self.now = phase
        return True
