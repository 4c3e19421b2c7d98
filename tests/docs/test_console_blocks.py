"""Every console block of the README, the tutorials and the how-tos does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import run
from tests.docs.page import ROOT, pages


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()])
def test_the_commands_on_a_page_print_what_it_says(page: Path) -> None:
    wrong = [ran for ran in run(page) if not ran.fits]

    assert not wrong, "\n".join(map(str, wrong)) + "\nTo write what they print now into the pages: make docs-update"
