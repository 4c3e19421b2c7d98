"""A worker dies between two calls to the server: no job is lost, none counted twice. Every point: `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .kill_points import POOL, RUNNER, try_point
from .run import sandbox


@pytest.mark.parametrize(
    ("number", "who"), [(3, RUNNER), (6, POOL), (9, RUNNER), (13, POOL), (18, RUNNER), (26, POOL)]
)
def test_a_worker_dies_between_two_calls(number: int, who: str, tmp_path: Path) -> None:
    with sandbox():
        point = try_point(number, who, tmp_path)
    assert point.reached
    assert not point.violations
