"""Every error that queuectl raises on purpose: one tree, with an exit code each.

The message says *what* failed and *why*; ``hint`` says what to do or type next. The command line prints both and
exits with ``exit_code``; users never see these errors as a traceback.
"""

from __future__ import annotations


class QueuectlError(Exception):
    """Base of the tree.

    ``message`` is one sentence; ``details`` are further lines, such as another program's; ``hint`` (may be empty)
    is the command or change that helps. ``exit_code`` is the exit status of a command that fails with this error.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class InvalidInput(QueuectlError):
    """The user gave an unusable value: an empty command, a negative timeout."""

    exit_code = 2


class JobNotFound(QueuectlError):
    """No job has this id, or starts with this prefix."""

    exit_code = 3


class AmbiguousId(QueuectlError):
    """A prefix matches several jobs; the hint lists them."""

    exit_code = 3


class ServerUnreachable(QueuectlError):
    """No server answers at the configured address, or the connection broke during a call."""

    exit_code = 69


class NotYetSafe(QueuectlError):
    """`enqueue --durable` added the jobs, but the disks that must have them have not said so in time."""

    exit_code = 75


class NotAServer(QueuectlError):
    """What answers is not a Redis or Valkey that can serve: a reply is not the one that the command gives."""

    exit_code = 69


class ServerRefused(QueuectlError):
    """The server answered with an error: out of memory, a read-only replica, no permission."""


class BadConfiguration(QueuectlError):
    """A setting, a URL or a folder can't be used as it is."""

    exit_code = 78


class RecordInvalid(QueuectlError):
    """A record in the server is not one that queuectl writes: a foreign or damaged hash."""
