"""The `queuectl` program: `queuectl ...` or `python -m queuectl ...`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from queuectl.cli import cli

        cli(prog_name="queuectl")
    except KeyboardInterrupt:  # before or after Click's own handling
        sys.exit(130)


if __name__ == "__main__":
    main()
