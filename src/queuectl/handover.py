"""Keeps a password given with `--redis-url` out of the list of processes, and out of jobs' environments."""

from __future__ import annotations

import os
import sys

HANDED_OVER = "QUEUECTL_HANDED_OVER_URL"
"""Variable by which one process of ours gives the URL to the next, which takes it out of its environment."""

_OPTION = "--redis-url"
_WITH_VALUE = (_OPTION, "--namespace")
"""Options that stand before the command. What comes after is the command's own."""


def hide_password(arguments: list[str]) -> None:
    """If ``arguments`` have a URL with a password, run this program again without it; it does not return then.

    Who looks at the right moment can still see it. A variable or the configuration file never shows.
    """
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "--":
        name, equals, value = arguments[at].partition("=")
        width = 2 if name in _WITH_VALUE and not equals else 1
        if name == _OPTION:
            url = value if equals else "".join(arguments[at + 1 : at + 2])
            if "@" in url and sys.orig_argv[-len(arguments) :] == arguments:
                os.environ[HANDED_OVER] = url
                rest = arguments[:at] + arguments[at + width :]
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1 : -len(arguments)], *rest])
        at += width


def take_over() -> str | None:
    """The URL that was handed over to this process, if any."""
    return os.environ.pop(HANDED_OVER, None)
