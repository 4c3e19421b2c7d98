"""For tests that start real processes: a view of the server, and a guard that no process outlives its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import end_everything
from queuectl.storage import RedisStorage


@pytest.fixture(autouse=True)
def nothing_lives_on(queuectl_home: Path) -> Iterator[None]:
    """Ends pools and jobs of this test, whatever happened in it. Before its server, which a pool would restart."""
    yield
    end_everything(queuectl_home)


@pytest.fixture
def queue(nothing_lives_on: None) -> Iterator[RedisStorage]:
    """The storage behind this test's commands: the embedded server of its own state folder."""
    storage = RedisStorage()
    yield storage
    storage.close()
