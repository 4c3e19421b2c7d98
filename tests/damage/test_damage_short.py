"""Some dozens of damaged states. `make damage` tries a thousand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from .states import KINDS, Damage, without_folder
from .trial import BROKEN, SILENT, Original, judge, make_original

EACH = 6


@pytest.fixture(scope="module")
def original() -> Iterator[Original]:
    with tempfile.TemporaryDirectory(prefix="qctl-") as name:  # short enough for a socket
        yield make_original(Path(name), Random(1))


@pytest.mark.parametrize("damage", [*KINDS, without_folder], ids=lambda damage: damage.__name__)
def test_no_damage_is_passed_over_in_silence(original: Original, damage: Damage) -> None:
    for seed in range(EACH):
        verdict = judge(original, damage, seed, original.home.parent)
        assert not verdict.outcome.startswith((SILENT, BROKEN)), verdict
