"""A short storm, each fault once. The long one is `make chaos`."""

from __future__ import annotations

from pathlib import Path

from .checker import check
from .figures import figures, line
from .nemesis import NEMESES
from .run import Plan, perform, sandbox

PLAN = Plan(jobs=300, seconds=8.5, gap_seconds=0.65, seed=1)


def test_a_short_storm_breaks_no_law(tmp_path: Path) -> None:
    with sandbox():
        found = perform(PLAN, tmp_path)
    violations = check(found)
    print(line(figures(found, violations)))
    assert not violations
    assert len(found.kinds) == PLAN.jobs
    assert len({fault.name for fault in found.faults}) >= len(NEMESES) - 3
