"""No class has more methods than a reader can keep in mind."""

from __future__ import annotations

import ast
from pathlib import Path

import queuectl

PACKAGE = Path(queuectl.__file__).parent
MOST_METHODS = 20


def methods() -> dict[str, int]:
    """``FILE: CLASS`` -> how many methods it has."""
    return {
        f"{path.relative_to(PACKAGE)}: {node.name}": sum(isinstance(part, ast.FunctionDef) for part in node.body)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }


def test_no_class_has_more_than_twenty_methods() -> None:
    assert {name for name, count in methods().items() if count > MOST_METHODS} == set()
