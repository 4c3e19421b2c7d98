"""Where a state folder's embedded server lives, and the checks that nobody else can reach it.

Every command calls `socket_path`, so this module imports only what a bare interpreter has already loaded.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from queuectl.errors import BadConfiguration

# The size of `sun_path`, less its final NUL.
SOCKET_PATH_LIMIT = 107 if sys.platform.startswith("linux") else 103

# Where a socket goes if its own folder's name is too long.
_SHORT_FOLDER = "/tmp"

_WRITABLE_BY_OTHERS = 0o022
_OPEN_TO_OTHERS = 0o077


def server_directory(home: str) -> str:
    """Return the folder of the server's data, ``<home>/server``, absolute and without symbolic links.

    One folder must have one name. Otherwise a command that came through a link would look for the socket
    elsewhere, miss the running server and start a second one.
    """
    return os.path.realpath(f"{home}/server")


def socket_path(home: str) -> str:
    """Return the path of the server's Unix socket, whether or not a server runs.

    Raises `BadConfiguration` if another user could have put a socket there: writing to a queue means running
    commands.
    """
    directory = server_directory(home)
    _is_private(f"{home}/server", _OPEN_TO_OTHERS)
    path = f"{directory}/valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    return f"{_runtime_directory(directory)}/valkey.sock"


def prepare(home: str) -> str:
    """Create the state folder and the server's folder where missing; return the server's folder.

    Raises `BadConfiguration` if one can't be created or other users can change its contents.
    """
    _make_private(home, _WRITABLE_BY_OTHERS)
    _make_private(f"{home}/server", _OPEN_TO_OTHERS)
    return server_directory(home)


def private_folder(home: str, name: str) -> str:
    """Create ``<home>/<name>`` and the state folder where missing; return the path of the first."""
    _make_private(home, _WRITABLE_BY_OTHERS)
    _make_private(f"{home}/{name}", _OPEN_TO_OTHERS)
    return f"{home}/{name}"


def sync_folder(path: str) -> None:
    """Make a folder's entries survive a power cut, not only the contents of its files."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some file systems can't sync a folder, and work all the same
    finally:
        os.close(descriptor)


def unusable(path: str, error: OSError) -> BadConfiguration:
    """Return the error for a state folder that the operating system won't let us use."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Free some space, or set QUEUECTL_HOME to a folder on another disk."
    elif error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        hint = "Its file system lacks what a server needs. Set QUEUECTL_HOME to a folder on a local disk."
    else:
        hint = "Set QUEUECTL_HOME to a folder of yours that you can write to."
    return BadConfiguration(f"The state folder {path} can't be used: {reason}.", hint)


def _runtime_directory(directory: str) -> str:
    """Return a short, private replacement for a folder whose name is too long for a socket.

    Not below XDG_RUNTIME_DIR: cron jobs don't have it, and a logout removes it while the server still runs.
    We create it here and not when a server starts, so that nobody can create it between check and use.
    """
    import hashlib

    parent = f"{_SHORT_FOLDER}/queuectl-{os.geteuid()}"
    child = f"{parent}/{hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]}"
    _make_private(parent, _OPEN_TO_OTHERS)
    _make_private(child, _OPEN_TO_OTHERS)
    return child


def _make_private(path: str, forbidden: int) -> None:
    if _is_private(path, forbidden):
        return
    from pathlib import Path

    target = Path(os.path.realpath(path))
    missing = [folder for folder in (target, *target.parents) if not os.path.lexists(folder)]
    try:
        for folder in reversed(missing):
            # Make missing parents private too; `mkdir(parents=True)` would leave their mode to the umask.
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(str(folder.parent))
    except OSError as error:
        raise unusable(path, error) from error
    # Another process may have created it first, and maybe another user's.
    if not _is_private(path, forbidden):
        raise BadConfiguration(f"The folder {path} vanished while we created it.", "Try again.")


def _is_private(path: str, forbidden: int) -> bool:
    """Whether this folder exists. Raises `BadConfiguration` if it exists but other users can access it.

    A symbolic link is fine if we or root made it. ``forbidden``: the permission bits the folder must not have.
    """
    us = os.geteuid()
    try:
        link = os.lstat(path)
        entry = os.lstat(os.path.realpath(path)) if stat.S_ISLNK(link.st_mode) else link
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unusable(path, error) from error
    elsewhere = "Set QUEUECTL_HOME to a folder of your own."
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (us, 0):
        raise BadConfiguration(f"{path} is a symbolic link made by another user.", elsewhere)
    if not stat.S_ISDIR(entry.st_mode):
        raise BadConfiguration(f"{path} is not a folder.", elsewhere)
    if entry.st_uid != us:
        raise BadConfiguration(f"The folder {path} belongs to another user (uid {entry.st_uid}).", elsewhere)
    if entry.st_mode & forbidden:
        from shlex import quote

        access = "change what is in it" if entry.st_mode & _WRITABLE_BY_OTHERS else "look into it"
        raise BadConfiguration(f"Other users can {access}: {path}", f"Close it: chmod 700 {quote(path)}")
    return True
