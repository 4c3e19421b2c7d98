"""The event loop of a runner: descriptors, signals and timers, in one thread."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterable

from queuectl.worker.timers import Timer, Timers

# This clock keeps running while the machine is suspended; so does the server's, which times the leases.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Loop:
    """Waits for the next event and makes the calls registered for it.

    These calls must not wait for another process. Short waits for the disk (a log, a directory) are fine.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self.selector = selectors.DefaultSelector()
        self.timers = Timers()
        self.now = self.clock()
        self.signals: set[int] = set()
        self._waker, self._wake = os.pipe()
        for descriptor in (self._waker, self._wake):
            os.set_blocking(descriptor, False)
        self.selector.register(self._waker, selectors.EVENT_READ, self._woken)
        # The interpreter's own handler writes each signal's number into the pipe; ours does nothing.
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda *_: None)

    @staticmethod
    def clock() -> float:
        """Return seconds by the loop's clock."""
        return time.clock_gettime(_CLOCK)

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call ``call`` in ``seconds`` seconds."""
        return self.timers.at(self.now + seconds, call)

    def wake_up(self) -> None:
        """Cut the current wait short. Any thread may call this."""
        os.write(self._wake, b"\0")

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        """Call ``call`` whenever ``descriptor`` can be read."""
        self.selector.register(descriptor, selectors.EVENT_READ, call)

    def watch_writing(self, descriptor: int, call: Callable[[], None], *, writing: bool) -> None:
        """Also call, or stop calling, when a watched descriptor can be written to."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        self.selector.modify(descriptor, events, call)

    def forget(self, descriptor: int) -> None:
        """Stop watching this descriptor."""
        self.selector.unregister(descriptor)

    def turn(self) -> list[Callable[[], None]]:
        """Wait for an event. Returns the calls to make; `signals` has the signals that arrived."""
        self.signals.clear()
        ready = self.selector.select(self.timers.seconds_until_next(self.clock()))
        self.now = self.clock()
        calls: list[Callable[[], None]] = []
        for key, _ in ready:
            if key.data == self._woken:
                self._woken()
            else:
                calls.append(key.data)
        return calls

    def _woken(self) -> None:
        try:
            self.signals.update(os.read(self._waker, 4096))
        except BlockingIOError:
            pass


class Once:
    """A call that many parts request, but that runs once per plan; ``planned`` says whether it is planned."""

    def __init__(self, loop: Loop, call: Callable[[], None]) -> None:
        self._loop = loop
        self._call = call
        self.planned = False

    def plan(self, seconds: float) -> None:
        """Run it in ``seconds`` seconds, unless it is already planned."""
        if not self.planned:
            self.planned = True
            self._loop.after(seconds, self._due)

    def _due(self) -> None:
        self.planned = False
        self._call()
