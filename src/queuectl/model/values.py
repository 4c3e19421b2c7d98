"""What a value may be: one check for every number, name and command that comes from outside."""

from __future__ import annotations

import math

from queuectl.errors import InvalidInput

YEAR_SECONDS = 366 * 86_400.0
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SIZES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
MAX_BYTES = 1 << 50
MAX_PROCESSES = 1 << 22
"""As many process ids as Linux has."""

MAX_RETRIES = 1_000
MAX_FACTOR = 1_000.0


def number(name: str, value: object, least: float, most: float) -> float:
    """``value`` as a float between ``least`` and ``most``, else InvalidInput that names it."""
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(f"The {name} must be a number, not {_shown(value)}.") from None
    if not least <= result <= most:  # false for NaN too
        raise InvalidInput(f"The {name} must be between {least:g} and {most:,.0f}, not {_shown(value)}.")
    return result


def whole_number(name: str, value: object, least: int, most: int) -> int:
    """``value`` as an int between ``least`` and ``most``, else InvalidInput that names it."""
    try:
        result = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(f"The {name} must be a whole number, not {_shown(value)}.") from None
    if not least <= result <= most or result != float(value):  # type: ignore[arg-type]
        raise InvalidInput(f"The {name} must be a whole number from {least} to {most:,}, not {_shown(value)}.")
    return int(result)


def seconds(name: str, value: object, most: float = YEAR_SECONDS, *, least: float = 0.0) -> float:
    """A length of time: seconds, or a number with a unit as in ``30s``, ``5m``, ``1.5h``, ``7d``."""
    text, unit = value, 1
    if isinstance(value, str) and value[-1:] in UNITS:
        text, unit = value[:-1], UNITS[value[-1]]
    try:
        result = float(text) * unit  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(
            f"The {name} must be a number of seconds, or one with s, m, h or d as in 10m, not {_shown(value)}."
        ) from None
    if not least <= result <= most:  # false for NaN too
        raise InvalidInput(f"The {name} must be between {least:g} and {most:,.0f} seconds, not {_shown(value)}.")
    return result


def timeout(value: object) -> float:
    """Seconds an attempt may take; 0 for no limit."""
    return seconds("timeout", value)


def size(name: str, value: object) -> int:
    """A number of bytes, or a number with a unit as in ``100k``, ``512M``, ``1.5GB``, ``2GiB``: powers of 1,024."""
    text, unit = value, 1
    if isinstance(value, str):
        short = value.lower()
        for ending in ("", "b", "ib"):
            letter = short.removesuffix(ending)[-1:]
            if short.endswith(ending) and letter in SIZES:
                text, unit = short.removesuffix(ending)[:-1], SIZES[letter]
    try:
        result = float(text) * unit  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(
            f"The {name} must be a number of bytes, or one with k, M, G or T as in 512M, not {_shown(value)}."
        ) from None
    if not 0 <= result <= MAX_BYTES:  # false for NaN too
        raise InvalidInput(f"The {name} must be between 0 and {size_text(MAX_BYTES)}, not {_shown(value)}.")
    return math.ceil(result)


def size_text(count: int) -> str:
    """A number of bytes as one would type it: ``512M``; exact."""
    for unit, factor in reversed(SIZES.items()):
        if count and count % factor == 0:
            return f"{count // factor}{unit if unit == 'k' else unit.upper()}"
    return f"{count} bytes"


def memory(value: object) -> int:
    """Bytes that all processes of a job may hold; 0 for no limit."""
    return size("memory limit", value)


def cpu_time(value: object) -> float:
    """Seconds of processor time that an attempt may take; 0 for no limit."""
    return seconds("CPU time limit", value)


def max_output(value: object) -> int:
    """Bytes that an attempt may print; 0 for no limit."""
    return size("output limit", value)


def max_processes(value: object) -> int:
    """Processes, each thread counted, that a job may have at once; 0 for no limit."""
    return whole_number("process limit", value, 0, MAX_PROCESSES)


def max_retries(value: object) -> int:
    """Retries after the first attempt."""
    return whole_number("max-retries", value, 0, MAX_RETRIES)


def backoff_base(value: object) -> float:
    """Seconds before the first retry."""
    return seconds("backoff-base", value)


def backoff_factor(value: object) -> float:
    """By how much each pause is longer than the one before."""
    return number("backoff-factor", value, 0, MAX_FACTOR)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
