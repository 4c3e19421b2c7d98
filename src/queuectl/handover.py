"""Keeps a password given with `--redis-url` out of `ps` and of jobs' environments."""

from __future__ import annotations

import os
import sys

HANDED_OVER = "QUEUECTL_HANDED_OVER_URL"
"""The variable in which one process of ours passes the URL to the next, which removes it from its environment."""

_OPTION = "--redis-url"
_WITH_VALUE = (_OPTION, "--namespace")
"""Options that come before the command. Later ones are the command's own."""


def hide_password(arguments: list[str]) -> None:
    """If ``arguments`` have a URL with a password, run this program again without it, and never return.

    For a moment, others can still see the password. With a variable or the configuration file, they never can.
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
    """Return the URL passed to this process, if any."""
    return os.environ.pop(HANDED_OVER, None)
