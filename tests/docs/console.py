"""Runs the console blocks of one page in order, like a reader who types them into a new shell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.docs.compare import Comparison
from tests.docs.page import Step, steps
from tests.docs.shell import Shell, plain


class Ran(NamedTuple):
    """A command that was run: what the page says, whether that is so, and what it should say."""

    step: Step
    fits: bool
    should_be: list[str]

    def __str__(self) -> str:
        said, printed = "\n".join(self.step.output), "\n".join(self.should_be)
        return f"$ {self.step.command}\n--- the page says\n{said}\n--- it printed\n{printed}\n"


def run(page: Path) -> Iterator[Ran]:
    """Run all commands of a page; those that a reader sees are given."""
    shell = Shell()
    with contextlib.closing(shell):
        comparison = Comparison(shell.home)
        for step in steps(page.read_text(encoding="utf-8")):
            printed = plain(shell.run(comparison.command(step.command)))
            if not step.hidden:
                fits = comparison.fits(step.output, printed)
                should_be = step.output if fits else comparison.update(step.output, printed)
                yield Ran(step, fits, should_be)
