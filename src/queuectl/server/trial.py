"""Ask the server program itself whether it can read a journal: start one, private and short-lived, on a copy."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from queuectl.errors import ServerUnreachable
from queuectl.server import binary, journal, wire
from queuectl.server.journal import JournalFile
from queuectl.server.wire import Answer

_PATIENCE_SECONDS = 600.0
_NOISE = re.compile(r"^\S+ \d+ \w+ \d+ [\d:.]+ [*#.-] ")
_SHORTAGE = re.compile(r"Out Of Memory|Cannot allocate memory|No space left|Too many open files")
_STOPPED_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGXCPU, signal.SIGXFSZ)
_ADVICE = re.compile(r"[.:]? (?:You can: 1\)|make a backup of your AOF file).*")


def refusal(folder: Path, files: list[JournalFile]) -> str:
    """Return why the server can't read the journal in ``folder/appendonlydir``; empty if it can.

    The server writes nothing there but its own socket and log. Raises `BadConfiguration` without a server program,
    `ServerUnreachable` if it takes too long.
    """
    (folder / journal.FOLDER / journal.MANIFEST).write_text(journal.manifest_text(files), encoding="ascii")
    log = folder / "log"
    with TemporaryDirectory(prefix="queuectl-") as short:  # a socket's path must be short
        return _tried(folder, f"{short}/s", log)


def _tried(folder: Path, socket: str, log: Path) -> str:
    settings = (
        ("unixsocket", socket),
        ("unixsocketperm", "600"),
        ("save", '""'),
        ("appendonly", "yes"),
        ("aof-load-truncated", "no"),
        ("auto-aof-rewrite-percentage", "0"),
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [binary.find().path, "-", "--port", "0"],
            cwd=folder,
            env={"LC_ALL": "C"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o077,
        )
    try:
        assert process.stdin is not None
        process.stdin.write("".join(f"{name} {value}\n" for name, value in settings).encode())
        process.stdin.close()
        end = time.monotonic() + _PATIENCE_SECONDS
        while process.poll() is None:
            if wire.probe(socket) is Answer.READY:
                return ""
            if time.monotonic() > end:
                raise ServerUnreachable(f"The data were not read within {_PATIENCE_SECONDS:.0f} s.", "Try again.")
            time.sleep(0.005)
        return _reason(process.returncode, log.read_text(errors="replace"))
    finally:
        process.kill()  # it was given no command, so it has nothing to write
        process.wait()


def _reason(code: int, log: str) -> str:
    """Return why the server exited. Raises `ServerUnreachable` if that says nothing about the data."""
    text = " ".join(complaints(log)) or f"it exited with {code}"
    if -code in _STOPPED_FROM_OUTSIDE or _SHORTAGE.search(log):
        raise ServerUnreachable(
            f"The data could not be tried: {text}",
            "Free memory and disk space, then try again. Nothing was changed.",
        )
    return text


def complaints(log: str) -> list[str]:
    """Return what a server's log says about a failure, without the time, other messages and advice.

    The server marks these lines with ``#``. Lines without time come from programs that were never a server.
    """
    found = []
    for line in log.splitlines():
        if " * " in line[:60] or "overcommit" in line or not line.strip(" #"):
            continue
        text = _ADVICE.sub(".", _NOISE.sub("", line)).strip()
        if text and "*** FATAL" not in text:
            found.append(text)
    return found
