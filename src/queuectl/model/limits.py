"""What a value may be: one check for every number, name and command that comes from outside."""

from __future__ import annotations

from queuectl.errors import InvalidInput

YEAR_SECONDS = 366 * 86_400.0
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
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


def seconds(name: str, value: object, most: float = YEAR_SECONDS) -> float:
    """A length of time: seconds, or a number with a unit as in ``30s``, ``5m``, ``1.5h``, ``7d``."""
    size = 1
    if isinstance(value, str) and value[-1:] in UNITS:
        value, size = value[:-1], UNITS[value[-1]]
    return number(name, value, 0, most / size) * size


def timeout(value: object) -> float:
    """Seconds an attempt may take; 0 for no limit."""
    return seconds("timeout", value)


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
