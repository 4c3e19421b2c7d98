"""Writes the current output of commands into the pages.

    python -m tests.docs.update                   # all pages
    python -m tests.docs.update README.md         # these

Lines that are still correct stay as they are, with their ids and times. Read the difference before you commit it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.docs.console import run
from tests.docs.page import ROOT, pages


def update(page: Path) -> int:
    """Correct one page; gives the number of commands whose output was wrong."""
    wrong = [ran for ran in run(page) if not ran.fits]
    text = page.read_text(encoding="utf-8")
    for ran in reversed(wrong):  # from the end, so that the places of the others stay right
        text = text[: ran.step.first] + "".join(f"{line}\n" for line in ran.should_be) + text[ran.step.last :]
    page.write_text(text, encoding="utf-8")
    return len(wrong)


def main(arguments: list[str]) -> int:
    """Update the pages that are named, or all; gives the exit code."""
    for page in [Path(name).resolve() for name in arguments] or pages():
        print(f"{page.relative_to(ROOT)}: {update(page)} outputs changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
