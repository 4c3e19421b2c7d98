"""Short storms, on the embedded server and in the network. `make chaos` runs the long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from .checker import check
from .figures import figures, line
from .run import Plan, perform, sandbox

PLANS = [
    Plan(jobs=300, seconds=11.0, gap_seconds=0.5, seed=1),
    Plan(
        jobs=60,
        seconds=6.0,
        gap_seconds=1.0,
        seed=1,
        nemeses=("slow_network", "half_open_network", "cut_network", "promote_replica", "shift_server_clock"),
        network=True,
    ),
]


@pytest.mark.parametrize("plan", PLANS, ids=["embedded", "network"])
def test_a_short_storm_breaks_no_law(plan: Plan, tmp_path: Path) -> None:
    with sandbox(small=True):
        found = perform(plan, tmp_path)
    violations = check(found)
    print(line(figures(found, violations)))
    assert not violations
    assert len(found.kinds) >= plan.jobs
    possible = set(plan.nemeses) - set(found.left_out)
    assert len({fault.name for fault in found.faults}) >= len(possible) - 4
