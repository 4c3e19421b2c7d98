"""Keeps a password given with `--redis-url` out of the list of processes, and out of jobs' environments."""

from __future__ import annotations

import os
import sys

HANDED_OVER = "QUEUECTL_HANDED_OVER_URL"
"""Variable by which one process of ours gives the URL to the next, which takes it out of its environment."""

_OPTION = "--redis-url"


def hide_password(arguments: list[str]) -> None:
    """If ``arguments`` have a URL with a password, run this program again without it; it does not return then.

    Who looks at the right moment can still see it. A variable or the configuration file never shows.
    """
    for at, word in enumerate(arguments):
        name, equals, url = word.partition("=")
        if name == _OPTION:
            width = 1 if equals else 2
            url = url if equals else "".join(arguments[at + 1 : at + 2])
            if "@" in url and sys.orig_argv[-len(arguments) :] == arguments:
                os.environ[HANDED_OVER] = url
                rest = arguments[:at] + arguments[at + width :]
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1 : -len(arguments)], *rest])


def take_over() -> str | None:
    """The URL that was handed over to this process, if any."""
    return os.environ.pop(HANDED_OVER, None)
