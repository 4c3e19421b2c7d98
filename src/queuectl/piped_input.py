"""Detects input piped into a command that does not read it: `echo x | queuectl enqueue cat`."""

from __future__ import annotations

import os
import stat

WARNING = "standard input is not passed to the job. (< /dev/null silences this.)"


def is_waiting(descriptor: int = 0) -> bool:
    """Whether data can be read right now from a pipe, or from a file at its start.

    cron, ssh and CI give an empty pipe. A partly read file belongs to a loop around the command:
    `while read line; do queuectl enqueue "$line"; done < lines`.
    """
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            return found.st_size > 0 and os.lseek(descriptor, 0, os.SEEK_CUR) == 0
        if not stat.S_ISFIFO(found.st_mode):
            return False
        import select

        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return any(events & select.POLLIN for _, events in poll.poll(0))
    except OSError:
        return False
