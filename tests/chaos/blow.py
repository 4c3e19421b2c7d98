"""A fault: a function that breaks something and says whom it hit and how to undo it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .system import System


class Blow(NamedTuple):
    """What a fault did: whom it hit, and how and after how many seconds to undo it, if at all.

    ``undo`` returns False if it can't undo the fault yet.

    ``planted``: jobs that the fault itself put into the queue, kind -> ids; they count as acknowledged.
    ``uncertain``: how many more it may have put there.
    """

    pids: Iterable[int] = ()
    undo: Callable[[], bool | None] | None = None
    after_seconds: float = 0.0
    planted: Mapping[str, Sequence[str]] = {}
    uncertain: int = 0


Nemesis = Callable[[System, random.Random], Blow | None]
"""None when there was nothing to break."""
