"""The forms of a command, and which commands a system can run."""

from __future__ import annotations

from queuectl.errors import InvalidInput

SHELL = "shell"
"""Form of a command that is one string for ``/bin/sh -c``."""

EXEC = "exec"
"""Form of a command that is a list of arguments joined by NUL bytes, executed without a shell."""

MAX_ARGUMENT_BYTES = 131_071
"""The longest single argument that Linux accepts (MAX_ARG_STRLEN, 32 pages, less the final NUL)."""

MAX_ARGUMENTS_BYTES = 1_000_000
"""The most bytes for all arguments of a command: below the usual 2 MiB limit, with room for an environment."""


def check(command: bytes, form: str) -> None:
    """Raise InvalidInput for a command that no system will run."""
    if form == SHELL:
        if b"\0" in command:
            raise InvalidInput("The command has a NUL byte, which no program can be given.")
        if not command.strip():
            raise InvalidInput("The command is empty.", "Try: queuectl enqueue 'echo hello'")
        longest = len(command)
    else:
        arguments = command.split(b"\0")
        if not arguments[0]:
            raise InvalidInput("The command is empty.", "Give a program and its arguments.")
        longest = max(map(len, arguments))
    if longest > MAX_ARGUMENT_BYTES or len(command) > MAX_ARGUMENTS_BYTES:
        raise InvalidInput(
            f"The command has {len(command):,} bytes, more than the system can execute"
            f" ({MAX_ARGUMENT_BYTES:,} in one argument, {MAX_ARGUMENTS_BYTES:,} in all).",
            "Write it to a script file and enqueue that.",
        )


def joined(arguments: list[bytes]) -> bytes:
    """Join a list of arguments into a command of form EXEC; raise InvalidInput if one has a NUL byte."""
    if any(b"\0" in argument for argument in arguments):
        raise InvalidInput("The command has a NUL byte, which no program can be given.")
    return b"\0".join(arguments)
