"""Tries many damaged states, and prints how many of each kind ended how. Exits with 1 if one was passed over."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from .states import KINDS
from .trial import BROKEN, SILENT, judge, make_original


def main() -> int:
    parser = argparse.ArgumentParser(prog="make damage", description=__doc__)
    parser.add_argument("--states", type=int, default=1_000, help="how many damaged states [1000]")
    parser.add_argument("--seed", type=int, default=1, help="the first seed [1]")
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="qctl-") as name:
        original = make_original(Path(name), Random(options.seed))
        for seed in range(options.seed, options.seed + options.states):
            verdict = judge(original, KINDS[seed % len(KINDS)], seed, Path(name))
            counts[verdict.damage.partition(":")[0], verdict.outcome.partition(": ")[0]] += 1
            if verdict.outcome.startswith((SILENT, BROKEN)):
                print(seed, *verdict, sep="\n  ", flush=True)
    _print_table(counts)
    return 1 if any(outcome in (SILENT, BROKEN) for _, outcome in counts) else 0


def _print_table(counts: Counter[tuple[str, str]]) -> None:
    outcomes = sorted({outcome for _, outcome in counts})
    print("| damage |", " | ".join(outcomes), "|")
    print("|---" * (len(outcomes) + 1) + "|")
    for kind in sorted({kind for kind, _ in counts}):
        print(f"| {kind.replace('_', ' ')} |", " | ".join(str(counts[kind, outcome]) for outcome in outcomes), "|")
    totals = (sum(count for (_, found), count in counts.items() if found == outcome) for outcome in outcomes)
    print("| all |", " | ".join(str(total) for total in totals), "|")


if __name__ == "__main__":
    sys.exit(main())
