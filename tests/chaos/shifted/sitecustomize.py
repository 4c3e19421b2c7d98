"""A host with a shifted clock: on PYTHONPATH, it adds the number in the file CHAOS_CLOCK to every time.

The number may change while a program runs, as when somebody sets the clock. This shifts Python's time, but not
that of the server or the jobs' shells.
"""

import mmap
import os
import struct
import time

_real, _real_ns, _real_clock = time.time, time.time_ns, time.clock_gettime

with open(os.environ["CHAOS_CLOCK"], "rb") as _file:
    _offset = mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)


def _seconds() -> float:
    (seconds,) = struct.unpack("d", _offset[:8])
    return seconds


def _clock(which: int) -> float:
    return _real_clock(which) + (_seconds() if which == time.CLOCK_REALTIME else 0.0)


time.time = lambda: _real() + _seconds()
time.time_ns = lambda: _real_ns() + int(_seconds() * 1e9)
time.clock_gettime = _clock
