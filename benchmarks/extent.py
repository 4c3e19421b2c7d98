"""How much is measured: a short trial, the usual run, or the full one."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Depth(Enum):
    """``QUICK`` shows that a measure works; its figures mean little."""

    QUICK = "quick"
    USUAL = "usual"
    FULL = "full"


class Extent(NamedTuple):
    """What a run was asked for. ``idle_minutes`` is the idle period before a pickup; None for the depth's own."""

    depth: Depth = Depth.USUAL
    idle_minutes: float | None = None

    def pick(self, quick: T, usual: T, full: T | None = None) -> T:
        """The one of these that fits the depth; the full run does what the usual one does if not told otherwise."""
        if self.depth is Depth.QUICK:
            return quick
        return full if full is not None and self.depth is Depth.FULL else usual
