"""A pool's signals, as a descriptor for `select`."""

from __future__ import annotations

import os
import signal

ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)

MEANINGLESS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
"""Signals that would kill us by default, and that nobody sends a pool to kill it: pools and runners ignore them."""


def catch_signals() -> int:
    """Return a descriptor from which to read, as bytes, the numbers of the signals that a pool handles."""
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)
    # The interpreter's own handler writes into the pipe; ours do nothing.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in MEANINGLESS:
        signal.signal(number, lambda *_: None)  # unlike SIG_IGN, this ends with an exec: jobs get the default
    for number in ORDERS:
        if signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup, or in a shell's background job
            signal.signal(number, lambda *_: None)
    return reader
