"""Run the measures, print their figures, and write them down for programs if asked to."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from benchmarks import bulk_enqueue, command_start, drain, idle_pool, machine, memory, pickup, scale
from benchmarks.figures import HEADING

MEASURES = {
    "drain": drain,
    "bulk-enqueue": bulk_enqueue,
    "command-start": command_start,
    "pickup": pickup,
    "scale": scale,
    "memory": memory,
    "idle-pool": idle_pool,
}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure queuectl's speed.")
    parser.add_argument(
        "measures", nargs="*", metavar="MEASURE", help=f"which (default: all): {', '.join(MEASURES)}"
    )
    parser.add_argument("--quick", action="store_true", help="a short trial, whose figures mean little")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to FILE as well")
    options = parser.parse_args()
    if unknown := set(options.measures) - set(MEASURES):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}")
    begun = time.monotonic()
    facts = machine.describe()
    for name, value in facts.items():
        print(f"{name:<12}{value}")
    if options.quick:
        print("A quick trial: it shows that the measures work, not how fast anything is.")
    results = {}
    for name in options.measures or MEASURES:
        measure = MEASURES[name]
        print(f"\n{measure.TITLE}\n{HEADING}", flush=True)
        figures = measure.measure(quick=options.quick)
        results[name] = [figure.as_json() for figure in figures]
        for figure in figures:
            print(figure.line(), flush=True)
    print(f"\nMeasured in {time.monotonic() - begun:.0f} s.")
    if options.json:
        document = {"machine": facts, "quick": options.quick, "measures": results}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
