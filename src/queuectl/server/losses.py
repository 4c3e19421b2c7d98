"""What the embedded server is known to have lost, until a person acknowledges it; and what its files held last."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from queuectl.server import failures, journal, paths
from queuectl.server.journal import JournalFile

_LOSSES = "losses.json"
_SIZES = "sizes.json"
_START = "start.json"
HINT = "To stop this message: queuectl server check --acknowledge"

_MOST = 20
"""Losses that we keep; a person reads them."""


class Loss(NamedTuple):
    """Data that were here and are not any more."""

    at: float
    """When it was found."""
    file: str
    """Which file of the append-only file; empty for all of them."""
    lost_bytes: int | None
    """How much; None if nobody knows."""

    @property
    def words(self) -> str:
        """The loss in a sentence."""
        if not self.file:
            return "All data of the embedded server were gone at its start; the queue began empty."
        return (
            f"The end of the embedded server's file {self.file} is lost: {self.lost_bytes:,} bytes were cut off, "
            "with the writes that they held."
        )


def of(home: str) -> list[Loss]:
    """Return all that were not acknowledged, oldest first."""
    with suppress(OSError):
        settle(home)  # who started the server may have been killed before it could
    return _kept(home)


def _kept(home: str) -> list[Loss]:
    found = []
    records = _read(f"{paths.server_directory(home)}/{_LOSSES}").get("losses")
    for record in records if isinstance(records, list) else ():
        try:
            lost = record["lost_bytes"]
            found.append(Loss(float(record["at"]), str(record["file"]), None if lost is None else int(lost)))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return found


def begin(directory: str, files: list[JournalFile] | None, log_start: int) -> None:
    """Note how the files are before a server starts, and where its log of this start begins."""
    sizes = journal.sizes(Path(directory) / journal.FOLDER, files or [])
    start = {"sizes": sizes, "missing": _missing(directory, files), "log_start": log_start}
    _write(f"{directory}/{_START}", start)


def settle(home: str, *, over: bool = False) -> list[Loss]:
    """Return what the last start lost, and keep it until it is acknowledged; nothing while the server still starts.

    Of several callers, one gets it. ``over``: that start has ended, one way or the other. Raises `OSError`.
    """
    directory = paths.server_directory(home)
    record = f"{directory}/{_START}"
    start = _read(record)
    log = _log_since(directory, start.get("log_start"))
    if not start or not (over or failures.is_ready(log)):
        return []
    claimed = f"{record}.{os.getpid()}"
    try:
        os.rename(record, claimed)
    except FileNotFoundError:
        return []
    found = list(_losses(start, log))
    if found:
        _add(home, found)
    note_sizes(directory)
    os.unlink(claimed)
    return found


def _losses(start: dict[str, Any], log: str) -> Iterator[Loss]:
    now = time.time()
    missing, sizes = start.get("missing"), start.get("sizes")
    if missing is None:
        yield Loss(now, "", None)
    cut = dict(missing) if isinstance(missing, dict) else {}
    for name, offset in failures.truncations(log):
        size = sizes.get(name, offset) if isinstance(sizes, dict) else offset
        cut[name] = cut.get(name, 0) + max(size - offset, 0)
    for name, count in cut.items():
        yield Loss(now, name, count)


def _log_since(directory: str, start: object) -> str:
    try:
        with Path(f"{directory}/valkey.log").open("rb") as log:
            log.seek(start if isinstance(start, int) and start >= 0 else 0)
            return log.read().decode(errors="replace")
    except OSError:
        return ""


def acknowledge(home: str) -> int:
    """Forget all losses; return how many there were."""
    count = len(of(home))
    Path(f"{paths.server_directory(home)}/{_LOSSES}").unlink(missing_ok=True)
    return count


def _add(home: str, losses: list[Loss]) -> None:
    kept = [loss._asdict() for loss in [*_kept(home), *losses][-_MOST:]]
    _write(f"{paths.server_directory(home)}/{_LOSSES}", {"losses": kept})


def note_sizes(directory: str) -> None:
    """Remember how long each file is: files of a journal only grow, so a shorter one was cut."""
    folder = Path(directory) / journal.FOLDER
    try:
        files = journal.read_manifest(folder) or []
    except (journal.Damage, OSError):
        return
    sizes = journal.sizes(folder, files)
    if sizes != _read(f"{directory}/{_SIZES}"):
        _write(f"{directory}/{_SIZES}", sizes)


def forget_sizes(directory: str) -> None:
    """Forget them, because the files are replaced on purpose."""
    Path(f"{directory}/{_SIZES}").unlink(missing_ok=True)


def _missing(directory: str, files: list[JournalFile] | None) -> dict[str, int] | None:
    """Compare the files with the last sizes, before a server opens them: return the missing bytes of each.

    None: there were data, and all of them are gone.
    """
    known = _read(f"{directory}/{_SIZES}")
    if files is None:
        return None if known else {}
    now = journal.sizes(Path(directory) / journal.FOLDER, files)
    return {
        name: then - now[name]
        for name, then in known.items()
        if name in now and isinstance(then, int) and then > now[name]
    }


def _read(path: str) -> dict[str, Any]:
    try:
        content = Path(path).read_bytes()
    except OSError:
        return {}
    import json  # `status` reads this, and hardly ever finds anything

    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(path: str, record: dict[str, Any]) -> None:
    import json

    fresh = Path(f"{path}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
