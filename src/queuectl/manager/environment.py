"""What of the enqueuing shell goes along with a job: its directory, and a short list of variables."""

from __future__ import annotations

import os
from collections.abc import Mapping

from queuectl.errors import InvalidInput

VARIABLES = (
    b"PATH",
    b"VIRTUAL_ENV",
    b"CONDA_PREFIX",
    b"CONDA_DEFAULT_ENV",
    b"PYTHONPATH",
    b"LD_LIBRARY_PATH",
    b"LANG",
    b"LANGUAGE",
    b"LC_ALL",
    b"LC_CTYPE",
    b"LC_NUMERIC",
    b"LC_COLLATE",
    b"TZ",
)
"""Variables by which a command finds its programs and speaks its language.

All others are the worker's own: a whole environment holds secrets that don't belong in a server.
"""


def capture(environ: Mapping[bytes, bytes] = os.environb) -> dict[bytes, bytes]:
    """Those of `VARIABLES` that are set."""
    return {name: environ[name] for name in VARIABLES if name in environ}


def current_directory() -> bytes:
    """The directory that the job is to run in; InvalidInput when it was removed."""
    try:
        return os.getcwdb()
    except FileNotFoundError:
        raise InvalidInput(
            "The current directory was removed.", "Go to one that exists, then enqueue again."
        ) from None
