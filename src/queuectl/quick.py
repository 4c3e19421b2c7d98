"""The short way of `queuectl enqueue`, for programs that call it often.

Importing Click takes longer than all that an `enqueue` does. So a plain call whose output nobody reads on a
terminal is understood here; whatever is not plain (help, global options, --from, --json, a mistake) takes the long
way through `queuectl.cli`. Both do the same, and a test holds them together.
"""

from __future__ import annotations

import os
import sys

from queuectl.handover import HANDED_OVER


def run(arguments: list[str]) -> int | None:
    """Do what ``arguments`` (without the program's name) ask for; gives the exit code, None if it isn't plain."""
    if arguments[:1] != ["enqueue"] or os.isatty(1) or HANDED_OVER in os.environ:
        return None
    plain = _understood(arguments[1:])
    if plain is None:
        return None
    command, options = plain
    from queuectl.errors import QueuectlError

    try:
        from queuectl.manager.queue_manager import QueueManager
        from queuectl.options import JobOptions
        from queuectl.storage import RedisStorage

        job_id = QueueManager(RedisStorage()).enqueue(command, JobOptions(**options))
    except QueuectlError as error:
        from queuectl.cli.screens.messages import complain

        complain(error)
        return error.exit_code
    from queuectl.piped_input import WARNING, is_waiting

    if is_waiting():
        sys.stderr.write(f"Warning: {WARNING}\n")
    try:
        sys.stdout.write(job_id + "\n")
        sys.stdout.flush()
    except OSError:
        sys.stderr.write(f"The job was added, but its id can't be printed: {job_id}\n")
        raise
    return 0


def _understood(arguments: list[str]) -> tuple[bytes | list[bytes], dict[str, object]] | None:
    """The command and its options; None for anything but `[OPTION VALUE]... COMMAND` or `... -- PROGRAM ARG...`."""
    from queuectl.options import OPTIONS

    flags = {option.flag: option for option in OPTIONS.values()}
    options: dict[str, object] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        flag, equals, value = rest.pop(0).partition("=")
        option = flags.get(flag)
        if option is None or (equals if option.switch else not (equals or rest)):
            return None
        given = True if option.switch else value if equals else rest.pop(0)
        options[option.name] = (*options.get(option.name, ()), given) if option.many else given  # type: ignore[misc]
    if rest[:1] == ["--"] and len(rest) > 1:
        return [os.fsencode(word) for word in rest[1:]], options
    if len(rest) == 1 and not rest[0].startswith("-"):
        return os.fsencode(rest[0]), options
    return None
