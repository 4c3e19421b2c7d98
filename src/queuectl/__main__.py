"""The `queuectl` program: `queuectl ...` or `python -m queuectl ...`."""

from __future__ import annotations

import codecs
import io
import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    _replace_closed_streams()
    _accept_any_character()
    try:
        from queuectl.quick import run

        code = run(sys.argv[1:])
        if code is not None:
            sys.exit(code)
        if any(word.startswith("--redis-url") for word in sys.argv):
            from queuectl.handover import hide_password

            hide_password(sys.argv[1:])
        from queuectl.cli import cli

        cli(prog_name="queuectl")
    except KeyboardInterrupt:  # before or after Click's own handling
        sys.exit(130)
    except BrokenPipeError:
        # The reader has closed the pipe (`queuectl list | head`).
        _forget_output()
        sys.exit(0)
    except OSError as error:
        from queuectl.cli.screens.messages import complain
        from queuectl.errors import QueuectlError

        _forget_output()
        named = isinstance(error.filename, (str, bytes))
        what = f"The file {os.fsdecode(error.filename)} can't be used" if named else "The output can't be written"
        complain(QueuectlError(f"{what}: {error.strerror or error}."))
        sys.exit(1)


def _forget_output() -> None:
    """Drop the unwritten output: Python would retry it at exit and complain again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        os.close(1)  # there is no free descriptor


def _replace_closed_streams() -> None:
    """Open /dev/null in place of a closed stream (`>&-`): else one of our sockets would get its number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


def _accept_any_character() -> None:
    """On a terminal that is not UTF-8, show characters it can't encode as question marks."""
    if isinstance(sys.stdout, io.TextIOWrapper) and codecs.lookup(sys.stdout.encoding).name != "utf-8":
        sys.stdout.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
