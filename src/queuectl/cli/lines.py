"""Reads the commands of `enqueue --from`: one per line, or each ended by NUL."""

from __future__ import annotations

import sys

from queuectl.errors import InvalidInput


def read_commands(source: str, by_null: bool) -> list[bytes]:
    """Return all commands in a file, or in stdin for ``-``; raise InvalidInput for a line that is no command."""
    try:
        if source == "-":
            if sys.stdin.isatty():
                sys.stderr.write("Reading one command per line; end with Ctrl-D.\n")
            data = sys.stdin.buffer.read()
        else:
            with open(source, "rb") as file:
                data = file.read()
    except OSError as error:
        raise InvalidInput(
            f"The file {source} can't be read: {error.strerror}.", "Give another one, or - for standard input."
        ) from None
    commands = []
    for number, line in enumerate(data.split(b"\0" if by_null else b"\n"), 1):
        command = line if by_null else line.removesuffix(b"\r")
        if command.strip() and (by_null or not command.lstrip().startswith(b"#")):
            _check(command, f"{'Command' if by_null else 'Line'} {number}")
            commands.append(command)
    if not commands:
        raise InvalidInput("It contains no command.", "Write one command per line.")
    return commands


def _check(command: bytes, where: str) -> None:
    """Refuse a line whose author expected more than a command: the shell would only fail, and be retried."""
    start = command.lstrip()
    if start.startswith(b"-"):
        raise InvalidInput(
            f"{where} starts with '-', but a line is only a command, without options.",
            "Options apply to all lines: queuectl enqueue --timeout 5 --from FILE",
        )
    if start.startswith(b'{"'):
        raise InvalidInput(
            f"{where} is a JSON object, but --from takes shell commands.",
            "Extract them first: jq -r .command FILE | queuectl enqueue --from -",
        )
