"""Delays Ctrl-C until it does no harm: between two steps instead of in the middle of one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Notes Ctrl-C. While ``at_once`` is set, or at the second Ctrl-C, raises it immediately."""

    def __init__(self) -> None:
        self._pressed = False
        self.at_once = False
        self.in_a_step = False
        """Whether it was raised in the middle of a step, whose outcome is then unknown."""

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since."""
        if self._pressed:
            raise KeyboardInterrupt

    def _press(self, _number: int, _frame: FrameType | None) -> None:
        if self._pressed or self.at_once:
            self.in_a_step = True
            raise KeyboardInterrupt
        self._pressed = True


@contextmanager
def held_back() -> Iterator[Interrupts]:
    """Hold Ctrl-C back until `Interrupts.check`."""
    interrupts = Interrupts()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # nohup, or a shell's background job
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts._press)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
