"""What we ask the server: nothing that walks all keys, and never more for a longer queue."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import queuectl
from queuectl.manager.queue_manager import QueueManager
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls import jobs
from queuectl.storage.scripts import names, source
from steps import add, beat, claim, complete

WALKS = {"KEYS", "SCAN", "HSCAN", "SSCAN", "ZSCAN", "SORT", "FLUSHALL", "FLUSHDB", "RANDOMKEY", "DBSIZE"}
WALKING_METHODS = {"scan", "scan_iter", "hscan", "hscan_iter", "sscan", "sscan_iter", "zscan", "zscan_iter"}

MODULES = sorted(path for path in Path(queuectl.__file__).parent.rglob("*.py") if path.stem != "inventory")
"""All but what `fsck` stands on: it is asked for by a person, and is meant to walk through everything."""


@pytest.mark.parametrize("name", names())
def test_no_script_walks_all_keys(name: str) -> None:
    used = {command.upper() for command in re.findall(r"\b(?:p?call|try)\(\s*'(\w+)'", source(name).decode())}
    assert used, "a script that asks nothing of the server is no script"
    assert not used & WALKS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_does(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not words & WALKS
    assert not called & WALKING_METHODS


def calls_of(storage: RedisStorage, action: Callable[[], object]) -> int:
    """How many commands the server runs for ``action``, those inside of scripts counted too."""
    action()  # loads the scripts
    storage.r.config_resetstat()
    action()
    used = storage.r.info("commandstats")
    return sum(stats["calls"] for name, stats in used.items() if not name.startswith("cmdstat_config"))


@pytest.fixture
def grow(storage: RedisStorage) -> Callable[[], None]:
    """Makes a short queue, of 50 waiting and 100 running jobs, twenty thousand jobs long."""
    complete(storage, 5)
    add(storage, 150)
    claim(storage, 100)

    def add_many() -> None:
        add(storage, 19_950)
        assert QueueManager(storage).status().jobs[JobState.PENDING] > 19_900

    return add_many


def test_a_page_costs_the_page(storage: RedisStorage, grow: Callable[[], None]) -> None:
    manager = QueueManager(storage)
    first = manager.page(limit=50)

    def two_pages() -> None:
        assert len(manager.page(limit=50).jobs) == 50
        assert len(manager.page(limit=50, after=first.end).jobs) == 50

    short = calls_of(storage, two_pages)
    grow()
    assert calls_of(storage, two_pages) == short
    assert short <= 2 * (50 + 2 * len(JobState) + 1), "one command for a job, and at most two for a state"


@pytest.mark.parametrize("action", ["status", "claim", "heartbeat", "find"])
def test_so_does_all_that_happens_often(storage: RedisStorage, grow: Callable[[], None], action: str) -> None:
    actions: dict[str, Callable[[], object]] = {
        "status": QueueManager(storage).status,
        "claim": lambda: claim(storage, 2),
        "heartbeat": lambda: beat(storage),
        "find": lambda: storage.run(jobs.find("feed")),
    }
    short = calls_of(storage, actions[action])
    grow()
    assert calls_of(storage, actions[action]) == short <= 30
