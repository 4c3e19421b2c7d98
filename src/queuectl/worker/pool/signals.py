"""The signals of a pool, as something that `select` can wait for."""

from __future__ import annotations

import os
import signal

ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def catch_signals() -> int:
    """From now on the number of each signal that concerns a pool can be read, as a byte, from what this gives."""
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)
    # The interpreter's own handler writes into the pipe; ours have nothing to do.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in ORDERS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a shell's background job
            signal.signal(number, lambda *_: None)
    return reader
