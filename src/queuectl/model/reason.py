"""Why an attempt failed, in a few words: for where a whole reason has no room."""

from __future__ import annotations

TIMED_OUT = "timed out"
KILLED_BY = "killed by "
WORKER_DIED = "its worker died"

_SHORT = {
    TIMED_OUT: "timeout",
    "memory limit": "memory limit",
    "CPU time limit": "CPU limit",
    "output limit": "output limit",
    "process limit": "process limit",
    WORKER_DIED: "worker died",
}
"""How a reason begins -> what is left of it."""


def in_short(reason: str, exit_code: int | None) -> str:
    """What ended an attempt, if it was not the command itself: ``timeout``, ``SIGKILL``; else its exit code.

    Empty where none ended yet. A reason in other words is given whole if there is no exit code.
    """
    if reason.startswith(KILLED_BY):
        return reason.removeprefix(KILLED_BY).partition(";")[0]
    for beginning, words in _SHORT.items():
        if reason.startswith(beginning):
            return words
    return reason if exit_code is None else str(exit_code)
