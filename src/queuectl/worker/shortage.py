"""Says in words what the machine, or a limit of this user, has run out of."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from queuectl.errors import QueuectlError

_SHORTAGES = {
    errno.EAGAIN: ("no more processes are allowed", "See the limit with: ulimit -u"),
    errno.ENOMEM: ("the machine is out of memory", "See what uses it with: free -h"),
    errno.EMFILE: ("no more open files are allowed", "See the limit with: ulimit -n"),
    errno.ENFILE: ("the machine can open no more files", "See the limit with: sysctl fs.file-max"),
    errno.ENOSPC: ("the disk of the state folder is full", "See its disk with: df -h"),
    errno.EDQUOT: ("your quota on the disk of the state folder is used up", "See it with: quota"),
    errno.EFBIG: ("no larger files are allowed", "See the limit with: ulimit -f"),
}


CANNOT_START = "The workers could not be started"


def is_shortage(error: OSError) -> bool:
    """Whether this is a lack of some resource, which is nobody's mistake."""
    return error.errno in _SHORTAGES


def in_words(error: OSError) -> str:
    """Return the cause of an error of the system, without a full stop."""
    return _SHORTAGES.get(error.errno or 0, (error.strerror or str(error), ""))[0]


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn a shortage into a QueuectlError that begins with ``what``: ``The workers could not be started``."""
    try:
        yield
    except OSError as error:
        if not is_shortage(error):
            raise
        raise QueuectlError(f"{what}: {in_words(error)}.", _SHORTAGES[error.errno or 0][1]) from None
