"""Makes text from jobs safe for a terminal: it can't move the cursor, set a title or hide a word."""

from __future__ import annotations

import codecs
import re
import unicodedata

LINE_BREAK = "↵"
"""Replaces a line break in text shown on one line."""

LINE_BREAK_PLAIN = "\\n"
"""The same for encodings without that character."""

_BLANK = " \t\n\v\f\r"


def printable(text: str) -> str:
    """Replace every control, format and surrogate character of ``text`` with U+FFFD or a space.

    These are the categories Cc (controls: ESC, CR, C1), Cf (bidirectional overrides, zero width), Cs and Co: a
    terminal could obey them, or they could mislead a reader. Line breaks and tabs become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable(character) for character in text)


def columns(text: str) -> int:
    """Return the terminal columns of ``text``: two per East Asian wide character, none per combining one."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def one_line(text: str, width: int | None = None, line_break: str = LINE_BREAK) -> str:
    """Return ``printable`` text with a mark for each line break, cut to ``width`` columns with an ellipsis."""
    text = text.strip(_BLANK)
    # Examine only the first part of a long text: a command may have a hundred thousand characters.
    piece = text if width is None else text[: width * 4 + 4]
    clean = printable(piece.replace("\r\n", "\n").replace("\n", line_break)).strip()
    if width is None:
        return clean
    if columns(clean) <= width:
        return clean if len(piece) == len(text) else clean[: max(0, width - 1)] + "…"
    taken = 0
    for at, character in enumerate(clean):
        taken += _columns(character)
        if taken > width - 1:
            return clean[:at].rstrip() + "…"
    return clean


def pad(text: str, width: int) -> str:
    """Pad ``text`` with spaces to ``width`` columns."""
    return text + " " * (width - columns(text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _printable(character: str) -> str:
    if character in "\n\t\v\f\r":
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}:
        return "\ufffd"
    return character


class TerminalFilter:
    """Cleans a job's output for a terminal, piece by piece: keeps lines and tabs, removes terminal commands.

    Removes colours (``ESC [ ... m``); any other control character becomes U+FFFD. A carriage return becomes a line
    break, so that a progress bar shows its steps.
    """

    _COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
    _UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,32})?|\r)\Z")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def clean(self, data: bytes) -> bytes:
        """Clean the next piece. Its end may be held back until the next call."""
        text = self._rest + self._decoder.decode(data)
        unfinished = self._UNFINISHED.search(text)
        self._rest = text[unfinished.start() :] if unfinished else ""
        text = text[: len(text) - len(self._rest)]
        text = self._COLOUR.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
        return "\n".join(_spaced(line) for line in text.split("\n")).encode("utf-8", "replace")


def _spaced(line: str) -> str:
    return "\t".join(printable(part) for part in line.split("\t"))
