"""Durations and times in words."""

from __future__ import annotations

import pytest

from queuectl.cli.screens.values import ago, quantity, since, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0004, "1 ms"),
        (0.0213, "21 ms"),
        (0.4, "0.4s"),
        (2.0, "2.0s"),
        (9.94, "9.9s"),
        (59.6, "1m"),
        (185, "3m05s"),
        (3600, "1h"),
        (86_400 * 4 + 3 * 3_600, "4d03h"),
    ],
)
def test_a_length_of_time_in_its_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_moment_is_past_going_on_or_to_come() -> None:
    assert (ago(100.0, 220.0), ago(235.0, 220.0), since(217.0, 220.0)) == ("2m ago", "in 15s", "for 3.0s")


def test_one_is_no_plural() -> None:
    assert (quantity(1, "job"), quantity(1_200, "job")) == ("1 job", "1,200 jobs")
