"""Whatever a job starts ends with it, however the job ends. Once each; `make chaos` times 20 rounds."""

from __future__ import annotations

import pytest

from .families import GIVE_UP_SECONDS, SHAPES, SITUATIONS, attempt
from .run import sandbox


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_process_outlives_its_job(name: str) -> None:
    with sandbox():
        seconds = attempt(SITUATIONS[name])
    assert seconds.keys() == SHAPES.keys()
    assert {shape: took for shape, took in seconds.items() if took > GIVE_UP_SECONDS} == {}
