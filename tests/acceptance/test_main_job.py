"""The main job, end to end through the installed command: what `make demo` does, with all its checks.

It compresses and sums 600 real files, among commands that fail, hang, or succeed at their second attempt, and
kills the worker process twice on the way. The demonstration exits with 0 only if nothing was lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

LONGEST_SECONDS = 300
"""It gives up by itself before that, in good order. On two idle processors it is done in 20 seconds."""

CHECKS = 11


def run_demo(temporary: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo.run"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def test_the_demonstration_passes_all_its_checks_and_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = run_demo(tmp_path)

    assert demo.returncode == 0, demo.stdout
    lines = [line.strip() for line in demo.stdout.splitlines()]
    assert sum(line.startswith("ok ") for line in lines) == CHECKS, demo.stdout
    assert not any(line.startswith("FAILED") for line in lines)
    assert list(tmp_path.iterdir()) == []
