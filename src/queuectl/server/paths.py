"""Where the embedded server of a state folder lives, and that nobody else can reach it.

Every command asks for `socket_path`, so this module imports nothing that a bare interpreter hasn't loaded.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from queuectl.errors import BadConfiguration

# What fits into `sun_path`, with its final NUL.
SOCKET_PATH_LIMIT = 107 if sys.platform.startswith("linux") else 103

# Where a socket goes whose own folder has too long a name.
_SHORT_FOLDER = "/tmp"

_WRITABLE_BY_OTHERS = 0o022
_OPEN_TO_OTHERS = 0o077


def server_directory(home: str) -> str:
    """The folder with the server's data, ``<home>/server``, absolute and free of symbolic links.

    One folder must have one name: whoever came through a link would otherwise look for the socket
    elsewhere, miss the running server and start a second one.
    """
    return os.path.realpath(f"{home}/server")


def socket_path(home: str) -> str:
    """The server's Unix socket, whether or not a server runs.

    Raises `BadConfiguration` if somebody else could have put a socket of theirs there: who can write to a
    queue can run commands.
    """
    directory = server_directory(home)
    _is_private(f"{home}/server", _OPEN_TO_OTHERS)
    path = f"{directory}/valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    return f"{_runtime_directory(directory)}/valkey.sock"


def prepare(home: str) -> str:
    """Make the state folder and the server's folder where they are missing; return the latter.

    Raises `BadConfiguration` where one can't be made or others can change what is in it.
    """
    _make_private(home, _WRITABLE_BY_OTHERS)
    _make_private(f"{home}/server", _OPEN_TO_OTHERS)
    return server_directory(home)


def private_folder(home: str, name: str) -> str:
    """Make ``<home>/<name>``, and the state folder, where they are missing; return its path."""
    _make_private(home, _WRITABLE_BY_OTHERS)
    _make_private(f"{home}/{name}", _OPEN_TO_OTHERS)
    return f"{home}/{name}"


def sync_folder(path: str) -> None:
    """Let the names in a folder survive a power cut, not only the contents of its files."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # file systems that can't do this for a folder are not less usable for it
    finally:
        os.close(descriptor)


def unusable(path: str, error: OSError) -> BadConfiguration:
    """The error to raise when the operating system refuses the use of a state folder."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Free some space, or set QUEUECTL_HOME to a folder on another disk."
    elif error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        hint = "Its file system lacks what a server needs. Set QUEUECTL_HOME to a folder on a local disk."
    else:
        hint = "Set QUEUECTL_HOME to a folder of yours that you can write to."
    return BadConfiguration(f"The state folder {path} can't be used: {reason}.", hint)


def _runtime_directory(directory: str) -> str:
    """A short, private stand-in for a folder whose name is too long for a socket.

    Not below XDG_RUNTIME_DIR: a cron job doesn't have it and a logout removes it, while the server lives on.
    It is made here and not when a server starts, so that nobody else can make it between check and use.
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
            # Missing parents are made private as well; `mkdir(parents=True)` would leave them to the umask.
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(str(folder.parent))
    except OSError as error:
        raise unusable(path, error) from error
    # Another process may have been first, and it need not have been ours.
    if not _is_private(path, forbidden):
        raise BadConfiguration(f"The folder {path} vanished while it was made.", "Try again.")


def _is_private(path: str, forbidden: int) -> bool:
    """Whether this folder exists; raises `BadConfiguration` if it is there but isn't ours alone.

    A symbolic link serves if we or the administrator made it. ``forbidden`` are the permission bits that
    the folder must not have.
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
