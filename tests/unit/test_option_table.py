"""The table of options: what a declaration says, and what derives from it."""

from __future__ import annotations

import pytest

from queuectl.errors import InvalidInput
from queuectl.options import OPTIONS, PACKED_FIELD, JobOptions, values
from queuectl.options.table import Options


def test_options_come_in_the_order_in_which_their_groups_are_named() -> None:
    groups = [group for group in JobOptions.__bases__ if issubclass(group, Options)]
    assert list(OPTIONS) == [name for group in groups for name in group.table]


def test_no_option_takes_the_place_of_another_field_of_a_job() -> None:
    other = {"command", "form", "env", "created_at", "attempts", "crashes", "fence", "status", PACKED_FIELD}
    other |= {
        "owner",
        "worker",
        "started_at",
        "finished_at",
        "next_retry_at",
        "exit_code",
        "cause",
        "detail",
        "ties",
    }
    assert other.isdisjoint(OPTIONS)


@pytest.mark.parametrize(
    ("name", "value", "meaning"),
    [
        ("timeout", 3600.0, "1h (3600 s)"),
        ("timeout", 30.0, "30s"),
        ("memory", 512 << 20, "512M (536870912 bytes)"),
        ("memory", 1000, "1000 bytes"),
        ("backoff_factor", 2.5, "2.5"),
        ("max_retries", 3, "3"),
    ],
)
def test_a_value_is_shown_with_its_exact_number_and_unit(name: str, value: object, meaning: str) -> None:
    assert OPTIONS[name].kind.meaning(value) == meaning


@pytest.mark.parametrize("value", ["a b\nc%20=\t", "", "café", "\udcff\udc80"])
def test_a_text_may_be_any(value: str) -> None:
    assert values.text().read("stdin", value) == value


@pytest.mark.parametrize("value", ["a\0b", "\ud800", b"bytes", 5])
def test_nul_and_what_is_no_text_are_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="stdin must be a text without NUL bytes"):
        values.text().read("stdin", value)
