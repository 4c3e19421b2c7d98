"""Run the measures, print their figures, and write them down for programs if asked to."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import (
    bulk_enqueue,
    busy_slots,
    command_start,
    drain,
    idle_pool,
    log_capture,
    machine,
    memory,
    pickup,
    plots,
    printing_jobs,
    scale,
    server_share,
    simple_commands,
    smoke,
)
from benchmarks.extent import Depth, Extent
from benchmarks.figures import HEADING, MARKDOWN_HEADING, Figure
from benchmarks.folders import ROOT

MEASURES = {
    "drain": drain,
    "printing-jobs": printing_jobs,
    "simple-commands": simple_commands,
    "bulk-enqueue": bulk_enqueue,
    "command-start": command_start,
    "pickup": pickup,
    "scale": scale,
    "server-share": server_share,
    "memory": memory,
    "idle-pool": idle_pool,
    "busy-slots": busy_slots,
    "log-capture": log_capture,
}


def main() -> int:
    """The program; gives the exit code."""
    parser = _parser()
    options = parser.parse_args()
    if unknown := set(options.measures) - set(MEASURES):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that servers and folders go
    if options.smoke:
        return smoke.run(smoke.checks())
    extent = Extent(options.depth, options.idle_minutes)
    begun = time.monotonic()
    facts = machine.describe()
    for name, value in facts.items():
        print(f"- {name}: {value}" if options.markdown else f"{name:<12}{value}")
    if extent.depth is Depth.QUICK:
        print("A quick trial: it shows that the measures work, not how fast anything is.")
    results: dict[str, list[dict[str, Any]]] = {}
    for name in options.measures or ([] if options.plots else MEASURES):
        _title(MEASURES[name].TITLE, markdown=options.markdown)
        figures = MEASURES[name].measure(extent)
        results[name] = [figure.as_json() for figure in figures]
        _show(figures, judged=extent.depth is not Depth.QUICK, markdown=options.markdown)
    if options.plots:
        for path in plots.draw(extent, options.plots):
            print(f"\nDrawn: {path}", flush=True)
    print(f"\nMeasured in {time.monotonic() - begun:.0f} s.")
    if options.json:
        document = {"machine": facts, "depth": extent.depth.value, "measures": results}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure queuectl's speed.")
    parser.add_argument(
        "measures", nargs="*", metavar="MEASURE", help=f"which (default: all): {', '.join(MEASURES)}"
    )
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument(
        "--quick", dest="depth", action="store_const", const=Depth.QUICK, default=Depth.USUAL,
        help="a short trial, whose figures mean little",
    )  # fmt: skip
    depth.add_argument(
        "--full", dest="depth", action="store_const", const=Depth.FULL,
        help="with a million jobs, and a long idle time: half an hour",
    )  # fmt: skip
    parser.add_argument(
        "--smoke", action="store_true", help="only look for what is absurdly slow; exit code 1 if so"
    )
    parser.add_argument(
        "--plots", nargs="?", metavar="FOLDER", type=Path, const=ROOT / "docs/images",
        help="measure what the plots show, and draw them into FOLDER (default: docs/images)",
    )  # fmt: skip
    parser.add_argument(
        "--idle-minutes", metavar="N", type=float, help="how long a pool idles before a pickup (60 for an hour)"
    )
    parser.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to FILE as well")
    return parser


def _title(title: str, *, markdown: bool) -> None:
    print(f"\n## {title}\n{MARKDOWN_HEADING}" if markdown else f"\n{title}\n{HEADING}", flush=True)


def _show(figures: list[Figure], *, judged: bool, markdown: bool) -> None:
    for figure in figures:
        verdict = figure.verdict() if judged else ""
        print(figure.row(verdict) if markdown else figure.line(verdict), flush=True)


if __name__ == "__main__":
    sys.exit(main())
