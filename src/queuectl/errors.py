"""Every error that queuectl raises on purpose: one tree, one exit code each.

An error says *what* failed and *why* in its message, and in ``hint`` the next thing to type. The
command line prints both and exits with ``exit_code``; nothing here ever reaches a user as a traceback.
"""

from __future__ import annotations


class QueuectlError(Exception):
    """Base of the tree.

    ``message`` is one sentence; ``hint`` (may be empty) is the command or change that helps.
    ``exit_code`` is the process's exit status when a command ends with this error.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(QueuectlError):
    """A value given by the user can't be used: an empty command, a negative timeout."""

    exit_code = 2


class JobNotFound(QueuectlError):
    """No job has this id, or starts with this prefix."""

    exit_code = 3


class AmbiguousId(QueuectlError):
    """A prefix fits several jobs; the hint lists them."""

    exit_code = 3


class ServerUnreachable(QueuectlError):
    """No server answers at the configured place, or it went away in the middle of a call."""

    exit_code = 69


class ServerRefused(QueuectlError):
    """The server answered with an error: out of memory, a read-only replica, no permission."""


class BadConfiguration(QueuectlError):
    """A setting, a URL or a folder can't be used as it is."""

    exit_code = 78


class RecordInvalid(QueuectlError):
    """A record in the server isn't what queuectl writes: a foreign or damaged hash."""
