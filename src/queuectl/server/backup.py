"""Back up the embedded server's data into one file, and restore them from it."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

from queuectl.errors import InvalidInput, QueuectlError
from queuectl.server import checkup, journal, launch, losses, paths, repair
from queuectl.server.journal import JournalFile


class Restored(NamedTuple):
    """What was done. ``copy`` is where the data are that were here; None if there were none."""

    size: int
    copy: str | None


def backup(home: str, target: str) -> int:
    """Write all data into a new private file; return its size. The server may run, and goes on.

    Holds every write that was acknowledged before the call. Raises `QueuectlError` if the data are damaged.
    """
    directory = Path(paths.prepare(home))
    with launch.usable(home), checkup.snapshot(directory) as copy:
        finding = checkup.check(copy, running=launch.is_locked(f"{directory}/valkey.pid"))
        if finding.problems:
            raise QueuectlError(
                "The data are damaged: " + " ".join(finding.problems), "Repair them first: queuectl server repair"
            )
        if not finding.kept:
            raise QueuectlError("There are no data to back up yet.", "Enqueue a job first.")
        return _write(Path(target), copy, finding.kept, finding.cut)


def restore(home: str, source: str, *, replace: bool = False) -> Restored:
    """Take the data from a file that `backup` wrote. ``replace``: move data that are here aside first.

    Raises `QueuectlError` if the server runs, if there are data, or if the file is no whole backup.
    """
    directory = Path(paths.prepare(home))
    folder = directory / journal.FOLDER
    with launch.usable(home), launch.held(str(directory)):
        if any(journal.remains(folder)) and not replace:
            raise QueuectlError(
                f"The embedded server has data: {folder}",
                "To replace them, and keep the old ones in a folder beside: queuectl server restore FILE --replace",
            )
        fresh = Path(tempfile.mkdtemp(prefix="restore-", dir=directory))
        try:
            size = _extract(Path(source), fresh)
            copy = _moved_aside(directory, folder)
            losses.forget_sizes(str(directory))
            fresh.rename(folder)
            paths.sync_folder(str(directory))
        finally:
            rmtree(fresh, ignore_errors=True)
    return Restored(size, copy)


def _write(target: Path, copy: Path, files: list[JournalFile], cut: int) -> int:
    fresh = target.with_name(target.name + ".part")
    if os.path.lexists(target):
        raise InvalidInput(f"{target} exists.", "Name a new file, or remove that one.")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            os.fchmod(descriptor, 0o600)
            with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
                _add(archive, journal.MANIFEST, io.BytesIO(journal.manifest_text(files).encode()))
                for file in files:
                    with (copy / file.name).open("rb") as content:
                        _add(archive, file.name, content, cut if file == files[-1] else None)
            output.flush()
            os.fsync(descriptor)
        os.link(fresh, target)  # unlike a rename, it replaces nothing
        paths.sync_folder(str(target.absolute().parent))
        return target.stat().st_size
    except OSError as error:
        raise QueuectlError(
            f"{target} can't be written: {os.strerror(error.errno or 0)}.", "Name another file."
        ) from None
    finally:
        fresh.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: io.BufferedIOBase, size: int | None = None) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o600
    entry.size = content.seek(0, os.SEEK_END) if size is None else size
    content.seek(0)
    archive.addfile(entry, content)


def _extract(source: Path, folder: Path) -> int:
    """Write the files of a backup into ``folder``, and check them; return the size of the backup."""
    known = False
    try:
        with tarfile.open(source, mode="r:") as archive:
            for entry in archive:
                known = entry.isreg() and journal.is_file_name(entry.name)
                content = archive.extractfile(entry) if known else None
                if content is None:
                    raise tarfile.TarError
                with os.fdopen(
                    os.open(folder / entry.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
                ) as to:
                    while piece := content.read(1 << 20):
                        to.write(piece)
                    to.flush()
                    os.fsync(to.fileno())
    except (tarfile.TarError, EOFError, FileExistsError):
        raise _not_a_backup(source, "it is no file that `queuectl server backup` wrote") from None
    except OSError as error:
        raise InvalidInput(f"{source} can't be read: {os.strerror(error.errno or 0)}.") from None
    finding = checkup.check(folder)
    if finding.problems or not finding.kept:
        raise _not_a_backup(source, " ".join(finding.problems) or "it holds no data")
    paths.sync_folder(str(folder))
    return source.stat().st_size


def _moved_aside(directory: Path, folder: Path) -> str | None:
    if not folder.exists():
        return None
    if not any(folder.iterdir()):
        folder.rmdir()
        return None
    copy = repair.beside(directory, "before-restore")
    folder.rename(copy)
    return str(copy)


def _not_a_backup(source: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"{source} can't be restored: {why.rstrip('.')}.", "Nothing was changed. Use another backup."
    )
