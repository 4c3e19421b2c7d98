"""Why an attempt failed or a job ended, as data: a word, in some cases with a number.

``exit:7``, ``signal:9``, ``timeout``, the name of a limit (``memory``, ``cpu_time``, ``max_output``,
``max_processes``), ``start`` (the command could not be started), ``crash`` (its worker died), ``cancelled``,
``cleared``, ``invalid`` (the record is no job), ``unkillable`` (a running job has processes that its worker can't
kill). Empty for a success. ``detail`` has any further explanation. This
module turns causes into sentences; nothing parses a sentence back.
"""

from __future__ import annotations

import signal

from queuectl.options import OPTIONS, JobOptions

TIMEOUT = "timeout"
START = "start"
CRASH = "crash"
CANCELLED = "cancelled"
INVALID = "invalid"
UNKILLABLE = "unkillable"

_LIMITS = {name: option.limit for name, option in OPTIONS.items() if option.limit}


def of_exit(code: int) -> str:
    """Return the cause for an exit code other than 0."""
    return f"exit:{code}"


def of_signal(number: int) -> str:
    """Return the cause for a command that a signal killed."""
    return f"signal:{number}"


def in_short(cause: str, detail: str = "") -> str:
    """Describe a cause in a word or two, where space is short: ``exit 7``, ``SIGKILL``, ``memory limit``."""
    kind, _, number = cause.partition(":")
    if kind == "signal":
        return _signal_name(number)
    words = {"exit": f"exit {number}", CRASH: "worker died", START: "not started", INVALID: "invalid"}
    return words.get(kind) or _LIMITS.get(kind) or cause or detail


def sentence(cause: str, detail: str = "", options: JobOptions | None = None, crashes: int = 0) -> str:
    """Describe a cause, without a full stop; empty for a success. ``options`` are the job's, for its limits."""
    kind, _, number = cause.partition(":")
    if kind == "exit":
        said = f"exit code {number}"
    elif kind == "signal":
        said = f"killed by {_signal_name(number)}"
    elif kind == TIMEOUT:
        said = "timed out" + (f" after {_words('timeout', options)}" if options else "")
    elif kind in _LIMITS:
        said = f"{_LIMITS[kind]}" + (f" of {_words(kind, options)}" if options else "") + " exceeded"
    elif kind == CRASH:
        said = "its worker died" + (f" ({crashes} {'time' if crashes == 1 else 'times'})" if crashes else "")
    elif kind == UNKILLABLE:
        return f"{detail or 'a process'} can't be killed; the job runs until it exits"
    elif kind in (START, INVALID):
        return detail or kind
    else:
        said = cause  # perhaps from a later version
    return f"{said}; {detail}" if said and detail else said or detail


def _words(name: str, options: JobOptions) -> str:
    return OPTIONS[name].kind.words(getattr(options, name))


def _signal_name(number: str) -> str:
    try:
        return signal.Signals(int(number)).name
    except ValueError:
        return f"signal {number}"
