"""Where measures keep their files, and how they part from them: put aside until all is measured.

ext4 doesn't give the place of a removed file to a new one for minutes, and steps over each of them in its search.
After some thousand removals, making a file takes several times as long (`recently_deleted` in a kernel profile).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from itertools import count
from pathlib import Path

ROOT = Path(__file__).parents[1]
_numbers = count()


def discard(folder: Path) -> None:
    """Take a folder out of the way; it is removed when the program ends."""
    if folder.exists():
        os.rename(folder, _heap() / str(next(_numbers)))


@cache
def _heap() -> Path:
    heap = tempfile.mkdtemp(prefix="discarded-", dir=ROOT / "build")
    atexit.register(shutil.rmtree, heap, ignore_errors=True)
    return Path(heap)
