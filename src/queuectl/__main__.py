"""The `queuectl` program: `queuectl ...` or `python -m queuectl ...`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from queuectl.quick import run

        code = run(sys.argv[1:])
        if code is not None:
            sys.exit(code)
        from queuectl.cli import cli

        cli(prog_name="queuectl")
    except KeyboardInterrupt:  # before or after Click's own handling
        sys.exit(130)
    except BrokenPipeError:
        # The reader has seen enough (`queuectl list | head`). Python would complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)


if __name__ == "__main__":
    main()
