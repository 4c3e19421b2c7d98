"""Warnings from below the command line: what went wrong although the call succeeds, or why it takes so long.

A command prints them on stderr. A process that writes its messages elsewhere replaces `tell`'s ``printer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _to_stderr(text: str) -> None:
    import sys

    from queuectl.text import printable

    sys.stderr.write(f"queuectl: {printable(text)}\n")
    sys.stderr.flush()


printer: Callable[[str], None] = _to_stderr
"""What prints a notice."""


def tell(text: str) -> None:
    """Print one notice; a closed stderr does no harm."""
    try:
        printer(text)
    except (OSError, ValueError, AttributeError):
        pass
