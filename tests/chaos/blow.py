"""What a fault is: a function that breaks something, and says whom it hit and how it is made good."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .system import System


class Blow(NamedTuple):
    """What a fault did: to whom, and how it is made good after so many seconds, if it is.

    ``undo`` gives False if that was not possible yet.

    ``planted``: jobs that the fault itself put into the queue, kind -> ids; they count as acknowledged.
    ``uncertain``: how many it may have put there.
    """

    pids: Iterable[int] = ()
    undo: Callable[[], bool | None] | None = None
    after_seconds: float = 0.0
    planted: Mapping[str, Sequence[str]] = {}
    uncertain: int = 0


Nemesis = Callable[[System, random.Random], Blow | None]
"""None when there was nothing to break."""
