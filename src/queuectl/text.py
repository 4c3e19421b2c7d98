"""Text from jobs on its way to a terminal: nothing in it may move a cursor, set a title or hide a word."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """``text`` with every control, format and surrogate character replaced by U+FFFD or a space.

    Categories Cc (controls: ESC, CR, C1), Cf (bidirectional overrides, zero width), Cs and Co: what a terminal
    could take for an order, or a reader for something that isn't there. Line breaks and tabs become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable(character) for character in text)


def one_line(text: str, width: int | None = None) -> str:
    """``printable`` text, cut to ``width`` characters with an ellipsis."""
    clean = printable(text[: width * 4] if width else text).strip()
    if width is not None and (len(clean) > width or len(text) > width * 4):
        return clean[: max(0, width - 1)].rstrip() + "…"
    return clean


def _printable(character: str) -> str:
    if character in "\n\t\v\f\r":
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}:
        return "\ufffd"
    return character
