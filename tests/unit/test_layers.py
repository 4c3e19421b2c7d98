"""Imports point one way, and a short command imports little."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import queuectl

PACKAGE = Path(queuectl.__file__).parent

LEAVES = {"errors", "settings", "text", "notices", "host", "handover", "piped_input"}
MODEL = LEAVES | {"options", "model"}
STORAGE = MODEL | {"server", "storage"}
MANAGERS = STORAGE | {"logs", "manager"}
WORKER = MANAGERS | {"worker"}
EVERYTHING = WORKER | {"schema", "cli", "quick"}

MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    **{leaf: {"errors"} for leaf in LEAVES},
    "settings": {"errors", "notices"},
    "notices": {"text"},
    "options": LEAVES | {"options"},
    "model": MODEL,
    "logs": MODEL | {"logs"},
    "server": MODEL | {"server"},
    "storage": STORAGE,
    "manager": MANAGERS,
    "worker": WORKER,
    "schema": MANAGERS | {"schema"},
    "quick": EVERYTHING,
    "cli": EVERYTHING - {"storage"},
    "__main__": EVERYTHING,
}
"""Part of the package -> the parts that it may import. A new part needs its place here."""


def part_of(path: Path) -> str:
    """``storage`` for ``storage/keys.py``, ``errors`` for ``errors.py``."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_by(path: Path) -> Iterator[str]:
    """Full names of all that a module imports, those inside of functions and for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    part = part_of(path)
    assert part in MAY_IMPORT, f"give {part} its place among the layers"
    names = [name.split(".") for name in imported_by(path)]
    used = {name[1] for name in names if name[0] == "queuectl" and len(name) > 1} - {"__version__"}
    assert used <= MAY_IMPORT[part], f"{part} must not import {used - MAY_IMPORT[part]}"


def test_every_layer_is_there() -> None:
    assert {part_of(path) for path in MODULES} == MAY_IMPORT.keys()


def test_the_json_of_commands_is_made_in_schema() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print_json":
                (value,) = node.args
                assert isinstance(value, ast.Call), f"{path}:{node.lineno}"
                assert isinstance(value.func, ast.Name), f"{path}:{node.lineno}"
                assert value.func.id.endswith("_object"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("part", ["model", "storage", "manager"])
def test_nothing_below_the_commands_prints(part: str) -> None:
    for path in MODULES:
        if part_of(path) == part:
            called = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
            assert "print" not in called, path


@pytest.mark.parametrize(
    ("imported", "unwanted"),
    [
        (
            "queuectl.manager.queue_manager, queuectl.manager.dead_letter, queuectl.storage.redis_storage",
            ["redis", "click"],
        ),
        ("queuectl.cli", ["redis"]),
        ("queuectl.model.job, queuectl.options.values", ["hiredis", "_socket", "queuectl.storage"]),
    ],
)
def test_what_is_slow_to_import_is_not(imported: str, unwanted: list[str]) -> None:
    code = f"import sys, {imported}; print(*(name for name in {unwanted} if name in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
