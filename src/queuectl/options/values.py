"""Checks values: one check for every number, size, duration and text that comes from outside.

A `Kind` reads and writes one kind of value. ``name`` in the messages is what the user called it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

from queuectl.errors import InvalidInput

T = TypeVar("T")

YEAR_SECONDS = 366 * 86_400.0
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SIZES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
MAX_BYTES = 1 << 50
MAX_TEXT = 200

DIGITS = "0123456789+-"
NUMERALS = "0123456789.e+-"
"""The characters of whole numbers and of others. Python and Lua would read more, ``1_0`` or ``0x10``, each what the
other does not."""


class Kind(Generic[T]):
    """A kind of value.

    ``read(name, value)`` converts a text or number, or raises InvalidInput. ``text`` formats a value for storage,
    ``words`` for people; ``unit`` follows the exact number there. ``characters`` are those of a stored number, and
    ``most`` is the largest; "" stands for any text, None for values that no script can check.
    """

    __slots__ = ("characters", "metavar", "most", "read", "text", "unit", "words")

    def __init__(
        self,
        metavar: str,
        read: Callable[[str, object], T],
        text: Callable[[T], str],
        words: Callable[[T], str] | None = None,
        *,
        unit: str = "",
        characters: str | None = None,
        most: float = math.inf,
    ) -> None:
        self.metavar = metavar
        self.read = read
        self.text = text
        self.words = words or text
        self.unit = unit
        self.characters = characters
        self.most = most

    def in_force(self, text: str) -> bool:
        """Whether a stored text counts as a setting. Scripts check the same, since anybody may have written it."""
        if not text or self.characters is None:
            return False
        if self.characters and not frozenset(self.characters).issuperset(text):
            return False
        try:
            self.read("", text)
        except InvalidInput:
            return False
        return True

    def meaning(self, value: T) -> str:
        """Format a value for people, followed by the exact number if they differ: ``1h (3600 s)``."""
        words, exact = self.words(value), f"{self.text(value)} {self.unit}"
        return words if not self.unit or words.replace(" ", "") == exact.replace(" ", "") else f"{words} ({exact})"


def seconds_up_to(most: float = YEAR_SECONDS, *, least: float = 0.0) -> Kind[float]:
    """Return the kind for a duration in seconds."""

    def read(name: str, value: object) -> float:
        return seconds(name, value, most, least=least)

    return Kind("TIME", read, number_text, span_text, unit="s", characters=NUMERALS, most=most)


def whole_up_to(most: int, *, least: int = 0) -> Kind[int]:
    """Return the kind for a count up to ``most``."""
    return Kind("N", lambda name, value: whole_number(name, value, least, most), str, characters=DIGITS, most=most)


def number_up_to(most: float) -> Kind[float]:
    """Return the kind for a number from 0 to ``most``."""
    return Kind("F", lambda name, value: number(name, value, 0, most), number_text, characters=NUMERALS, most=most)


def size_in_bytes() -> Kind[int]:
    """Return the kind for a number of bytes."""
    return Kind("SIZE", size, str, size_text, unit="bytes", characters=DIGITS, most=MAX_BYTES)


def switch() -> Kind[bool]:
    """Return the kind for something that is on or off."""
    return Kind(
        "",
        yes_or_no,
        lambda value: str(int(value)),
        lambda value: "yes" if value else "no",
        characters=DIGITS,
        most=1,
    )


def text() -> Kind[str]:
    """Return the kind for any text without NUL. Bytes that are no text are surrogates, as in os.fsdecode."""
    return Kind("TEXT", any_text, str, characters="")


def texts() -> Kind[tuple[str, ...]]:
    """Return the kind for several short texts, stored one per line."""
    return Kind("TEXT", short_texts, "\n".join, ", ".join)


def yes_or_no(name: str, value: object) -> bool:
    """Check a boolean, given as such, as 1 or 0, or as ``yes`` or ``no``."""
    known: dict[object, bool] = {True: True, False: False, "1": True, "0": False, "yes": True, "no": False}
    try:
        return known[value]
    except (KeyError, TypeError):
        raise InvalidInput(f"{name} must be yes or no, not {_shown(value)}.") from None


def any_text(name: str, value: object) -> str:
    """Check a text: only NUL is not allowed, which no program can be given, and what can't be encoded."""
    try:
        if isinstance(value, str) and b"\0" not in value.encode("utf-8", "surrogateescape"):
            return value
    except UnicodeEncodeError:
        pass
    raise InvalidInput(f"{name} must be a text without NUL bytes, not {_shown(value)}.")


def short_texts(name: str, value: object) -> tuple[str, ...]:
    """Check texts of 1 to 200 printable characters, each once, given as a sequence or one per line."""
    given = value.split("\n") if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(text, str) for text in given):
        raise InvalidInput(f"{name} must be a text, not {_shown(value)}.")
    for text in given:
        if not (0 < len(text) <= MAX_TEXT and text.isprintable() and text.strip() == text):
            raise InvalidInput(
                f"{name} must be 1 to {MAX_TEXT} printable characters without blanks at its ends,"
                f" not {_shown(text)}."
            )
    return tuple(dict.fromkeys(given))


def number_text(value: float) -> str:
    """Format a number for storage: ``2`` rather than ``2.0``, without loss."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def number(name: str, value: object, least: float, most: float) -> float:
    """Return ``value`` as a float between ``least`` and ``most``; else raise InvalidInput with its name."""
    try:
        result = _float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(f"{name} must be a number, not {_shown(value)}.") from None
    if not least <= result <= most:  # false for NaN too
        raise InvalidInput(f"{name} must be between {least:g} and {most:,.0f}, not {_shown(value)}.")
    return result


def whole_number(name: str, value: object, least: int, most: int) -> int:
    """Return ``value`` as an int between ``least`` and ``most``; else raise InvalidInput with its name."""
    try:
        result = int(_checked(value, DIGITS))  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(f"{name} must be a whole number, not {_shown(value)}.") from None
    if not least <= result <= most or result != float(value):  # type: ignore[arg-type]
        raise InvalidInput(f"{name} must be a whole number from {least} to {most:,}, not {_shown(value)}.")
    return int(result)


def seconds(name: str, value: object, most: float = YEAR_SECONDS, *, least: float = 0.0) -> float:
    """Return a duration in seconds, given as seconds or with units: ``30s``, ``1.5h``, ``1h30m``, ``7d``."""
    try:
        result = _composed(value) if isinstance(value, str) and value[-1:] in UNITS else _float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(
            f"{name} must be a number of seconds, or a time with s, m, h or d such as 90s or 1h30m,"
            f" not {_shown(value)}."
        ) from None
    if not least <= result <= most:  # false for NaN too
        raise InvalidInput(f"{name} must be between {least:g} and {most:,.0f} seconds, not {_shown(value)}.")
    return result


def _float(value: object) -> float:
    return float(_checked(value, NUMERALS))  # type: ignore[arg-type]


def _checked(value: object, characters: str) -> object:
    """Return ``value``; raise ValueError if it is a text with other characters."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if isinstance(text, str) and not frozenset(characters).issuperset(text):
        raise ValueError
    return value


def _composed(text: str) -> float:
    """Return the seconds of ``1h30m``: each unit at most once, larger ones first."""
    total, digits, last = 0.0, "", math.inf
    for character in text:
        if character not in UNITS:
            digits += character
            continue
        unit = UNITS[character]
        amount = _float(digits)
        if unit >= last or (last < math.inf and amount < 0):
            raise ValueError
        total, digits, last = total + amount * unit, "", unit
    return total


def size(name: str, value: object) -> int:
    """Return a number of bytes, given plain or as ``100k``, ``512M``, ``1.5GB``, ``2GiB`` (1k is 1,024)."""
    text, unit = value, 1
    if isinstance(value, str):
        short = value.lower()
        for ending in ("", "b", "ib"):
            letter = short.removesuffix(ending)[-1:]
            if short.endswith(ending) and letter in SIZES:
                text, unit = short.removesuffix(ending)[:-1], SIZES[letter]
    try:
        result = _float(text) * unit
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(
            f"{name} must be a number of bytes, or a size with k, M, G or T such as 512M, not {_shown(value)}."
        ) from None
    if not 0 <= result <= MAX_BYTES:  # false for NaN too
        raise InvalidInput(f"{name} must be between 0 and {size_text(MAX_BYTES)}, not {_shown(value)}.")
    return math.ceil(result)


def size_text(count: int) -> str:
    """Format a number of bytes as one would type it, ``512M``, without loss."""
    for unit, factor in reversed(SIZES.items()):
        if count and count % factor == 0:
            return f"{count // factor}{unit if unit == 'k' else unit.upper()}"
    return f"{count} bytes"


def span_text(value: float) -> str:
    """Format a duration as one would type it, ``1h30m`` or ``2.5s``, without loss."""
    parts, rest = "", value
    for unit, factor in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if rest >= factor and value == int(value):
            parts, rest = f"{parts}{int(rest // factor)}{unit}", rest % factor
    return parts + (f"{number_text(rest)}s" if rest or not parts else "")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
