"""Whatever a job is called or prints, a terminal gets text and no control sequences."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.text import LINE_BREAK, LINE_BREAK_PLAIN, TerminalFilter, columns, one_line, pad, printable

SNEAKY = "\x1b[31m\x07\x08\x7f\x9b\u202e\u2066\u200b\ufeff\u2028\u2029\ud800\ue000\U000e0041\u00ad\n\r\t\v\f\0"
ORDERS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Controls, invisible and bidirectional marks, half characters, private use, line and paragraph separators."""

texts = st.text(st.characters(codec=None) | st.sampled_from(SNEAKY))
wide = st.text(st.characters(exclude_categories=list(ORDERS)) | st.sampled_from("日本語ｆｕ́e\u0301🎉"))


def orders_in(text: str) -> list[str]:
    return [character for character in text if unicodedata.category(character) in ORDERS]


@given(texts)
def test_nothing_printable_is_an_order(text: str) -> None:
    assert orders_in(printable(text)) == []


@given(texts)
def test_what_is_replaced_leaves_a_mark(text: str) -> None:
    clean = printable(text)
    assert len(clean) == len(text)
    for before, after in zip(text, clean, strict=True):
        assert after == before or (after == " " and before.isspace()) or after == "\ufffd"


@given(wide)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("character", SNEAKY)
def test_each_sneaky_character_goes(character: str) -> None:
    assert character not in printable(f"a{character}b") or character.isalnum() or character in "[31m"


@given(texts, st.integers(1, 40))
def test_one_line_is_one_line_and_fits(text: str, width: int) -> None:
    line = one_line(text, width)
    assert orders_in(line) == []
    assert columns(line) <= width


@given(st.text("ab 日", max_size=30), st.integers(1, 40))
def test_what_was_cut_says_so(text: str, width: int) -> None:
    line = one_line(text, width)
    if columns(text.strip()) <= width:
        assert line == text.strip()
    else:
        assert line.endswith("…")
        assert text.strip().startswith(line[:-1])


@given(st.lists(texts.map(lambda line: "a" + line.replace("\n", "").replace("\r", "") + "z")))
def test_each_line_break_between_lines_is_seen(lines: list[str]) -> None:
    for ending in ("\n", "\r\n"):
        for mark in (LINE_BREAK, LINE_BREAK_PLAIN):
            text = ending.join(["", *lines, ""])
            assert one_line(text, line_break=mark) == mark.join(map(printable, lines))


@given(texts, st.integers(1, 40))
def test_line_breaks_in_plain_characters_fit_too(text: str, width: int) -> None:
    line = one_line(text, width, LINE_BREAK_PLAIN)
    assert columns(line) <= width
    assert LINE_BREAK not in line or LINE_BREAK in text


def test_of_a_very_long_text_only_a_piece_is_looked_at() -> None:
    assert one_line("x" * 10_000_000, 5) == "xxxx…"


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("ｆ", 2), ("é", 1), ("a日", 3)]
)
def test_columns_that_a_text_takes(text: str, width: int) -> None:
    assert columns(text) == width


@given(wide, st.integers(0, 60))
def test_padding_fills_up_and_cuts_nothing(text: str, width: int) -> None:
    padded = pad(text, width)
    assert padded.startswith(text)
    assert columns(padded) == max(width, columns(text))


@given(st.lists(st.binary() | texts.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_output_of_any_bytes_in_any_pieces_holds_no_orders(pieces: list[bytes]) -> None:
    cleaner = TerminalFilter()
    shown = b"".join(cleaner.clean(piece) for piece in pieces).decode("utf-8")
    assert [character for character in orders_in(shown) if character not in "\n\t"] == []


@given(st.lists(st.sampled_from(["one", "\n", "\t", "日本", "\x1b[1;31m", "\x1b[0m"])), st.data())
def test_colours_go_without_a_trace_however_the_output_is_split(words: list[str], data: st.DataObject) -> None:
    output = "".join(words).encode()
    cut = data.draw(st.integers(0, len(output)))
    cleaner = TerminalFilter()
    shown = (cleaner.clean(output[:cut]) + cleaner.clean(output[cut:])).decode()
    assert shown == "".join(word for word in words if "\x1b" not in word)


@given(st.lists(st.sampled_from(["a", "\r", "\n", "\x1b[31m", "é", "\x1b[2J"]), max_size=12), st.integers(1, 5))
def test_how_output_is_cut_into_pieces_changes_nothing(parts: list[str], size: int) -> None:
    data = ("".join(parts) + "end").encode()
    whole = TerminalFilter().clean(data)
    pieces = TerminalFilter()
    assert b"".join(pieces.clean(data[at : at + size]) for at in range(0, len(data), size)) == whole
