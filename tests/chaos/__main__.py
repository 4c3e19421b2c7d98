"""Runs storms one after the other, every kill point, families of processes, or another long test.

Exits with 1 if a law was broken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from . import outage, steady
from .checker import check
from .families import BOUND_SECONDS, SHAPES, SITUATIONS, attempt
from .figures import figures, line
from .kill_points import POOL, RUNNER, try_point
from .nemesis import ALL, NEMESES, NETWORK_NEMESES
from .run import Plan, perform, sandbox

MOST_POINTS = 1_000


def main() -> int:
    options = _options()
    if options.minutes or options.outage:
        found = steady.report(options.minutes) if options.minutes else outage.report(options.outage)
        _write(options, found)
        return 1 if found["broken"] else 0
    began = time.time()
    kept = Path(tempfile.mkdtemp(prefix="chaos-"))
    report: dict[str, Any] = {"plan": {**vars(options), "json": None}, "runs": [], "kill_points": {}}
    for number in range(options.runs):
        names = tuple(options.nemesis or (NETWORK_NEMESES if options.network else NEMESES))
        plan = Plan(options.jobs, options.seconds, options.gap, options.seed + number, names, options.network)
        report["runs"].append(_storm(plan, kept / f"run-{number + 1}"))
        print(f"run {number + 1} of {options.runs} (seed {plan.seed}): {line(report['runs'][-1])}", flush=True)
    for who in () if options.no_kill_points else (RUNNER, POOL):
        report["kill_points"][who] = _kill_points(who, kept)
    report["families"] = {name: _family(name, options.families) for name in SITUATIONS if options.families}
    report["seconds"] = round(time.time() - began, 1)
    broken = _summary(report)
    _write(options, report)
    if broken:
        print(f"What was written down is in {kept}")
    else:
        shutil.rmtree(kept)
    return 1 if broken else 0


def _write(options: argparse.Namespace, report: dict[str, Any]) -> None:
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n")


def _storm(plan: Plan, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    with sandbox(small=True):
        history = perform(plan, folder)
    violations = check(history)
    for name, why in history.left_out.items():
        print(f"  {name} is left out: {why}")
    for violation in violations:
        print(f"  {violation.law}: {violation.text}")
    return figures(history, violations)


def _kill_points(who: str, kept: Path) -> dict[str, Any]:
    """Try every point, until a run ends before it reaches its point."""
    broken = []
    for number in range(1, MOST_POINTS):
        folder = kept / f"{who}-{number}"
        folder.mkdir()
        with sandbox():
            point = try_point(number, who, folder)
        if not point.reached and not point.violations:
            break
        for violation in point.violations:
            print(f"  kill point {number} ({who}): {violation.law}: {violation.text}")
            broken.append({"point": number, **violation._asdict()})
    print(f"kill points, the {who} dies: {number - 1} tried, {len(broken)} violations", flush=True)
    return {"points": number - 1, "violations": broken}


def _family(name: str, rounds: int) -> dict[str, Any]:
    """Try one situation repeatedly; report how long the processes of each shape survived at most."""
    longest, broken = dict.fromkeys(SHAPES, 0.0), []
    for number in range(rounds):
        with sandbox():
            seconds = attempt(SITUATIONS[name])
        for shape, took in seconds.items():
            longest[shape] = max(longest[shape], round(took, 2))
            if took > BOUND_SECONDS:
                broken.append({"round": number + 1, "shape": shape, "seconds": took})
                print(f"  {name}, round {number + 1}: {shape} lived on for {took:.2f} s")
    shown = ", ".join(f"{shape} {took:.2f}" for shape, took in longest.items())
    print(
        f"families, {name}: {rounds} rounds, {len(broken)} outlived their bound; at most (s): {shown}", flush=True
    )
    return {"rounds": rounds, "longest": longest, "violations": broken}


def _summary(report: dict[str, Any]) -> int:
    runs = report["runs"]
    total: Counter[str] = Counter()
    for run in runs:
        total.update(run["faults"])
    broken = sum(len(part["violations"]) for part in _parts(report))
    if runs:
        print(
            f"{len(runs)} runs, {sum(run['jobs'] for run in runs)} jobs, {sum(total.values())} faults, "
            f"{sum(run['lost'] for run in runs)} lost, longest drain {max(run['drain_seconds'] for run in runs)} s"
        )
        print("faults: " + ", ".join(f"{name} {count}" for name, count in sorted(total.items())))
    print(f"{broken} violations in {report['seconds']:.0f} s")
    return broken


def _parts(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [*report["runs"], *report["kill_points"].values(), *report["families"].values()]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="storms (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2_000, help="jobs in each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each rages (default: %(default)s)")
    parser.add_argument("--gap", type=float, default=1.0, help="seconds between faults (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the next is one more (default: 1)")
    parser.add_argument("--nemesis", action="append", choices=list(ALL), help="only this fault; may be repeated")
    parser.add_argument(
        "--network", action="store_true", help="a server in the network and its replica, not the embedded one"
    )
    parser.add_argument("--minutes", type=float, help="only a mixed load for so long: does anything grow?")
    parser.add_argument("--outage", type=float, metavar="SECONDS", help="only a server that is away for so long")
    parser.add_argument("--no-kill-points", action="store_true", help="only the storms")
    parser.add_argument("--families", type=int, default=20, help="rounds of each situation (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write a report for programs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
