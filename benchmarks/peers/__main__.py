"""Run the peers in turns, print what they did, and write it down for programs if asked to."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine
from benchmarks.folders import ROOT
from benchmarks.peers.field import FIELD, REFERENCE
from benchmarks.peers.peer import Peer, Unavailable
from benchmarks.peers.race import race
from benchmarks.peers.results import Result, markdown, table


def main() -> None:
    """The program."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: workers and servers have to be ended
    begun = time.monotonic()
    facts = machine.describe()
    for name, value in facts.items():
        print(f"{name:<12}{value}")
    with _peers([REFERENCE, *(name for name in options.peers if name != REFERENCE)]) as entries:
        try:
            for number in range(options.rounds):
                for workers in options.workers:
                    _round(entries[:: -1 if number % 2 else 1], options.jobs, workers)
                print(
                    f"Round {number + 1} of {options.rounds}: done after {time.monotonic() - begun:.0f} s.",
                    flush=True,
                )
        except KeyboardInterrupt:
            print("Interrupted: these are the figures so far.")
    results = [result for result, _ in entries]
    references = results[0].runs
    for workers in options.workers:
        print("", *table(results, workers, references.get(workers, [])), sep="\n")
    print("\nWhat each keeps of a job:")
    for result in results:
        print(f"  {result.name:<27}{result.keeps}")
    if options.markdown:
        options.markdown.write_text("".join(f"{line}\n" for line in markdown(results, references)))
    if options.json:
        document = {
            "machine": facts,
            "jobs": options.jobs,
            "rounds": options.rounds,
            "peers": {result.name: result.as_json(references) for result in results},
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description="Run the same commands through queuectl and others."
    )
    parser.add_argument("--jobs", type=int, default=2000, help="in each run (default: 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4], help="numbers of workers (default: 2 4)")
    parser.add_argument("--peers", nargs="+", choices=FIELD, default=list(FIELD), help="which (default: all)")
    parser.add_argument("--quick", action="store_true", help="100 jobs, one round: does it work at all?")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to FILE as well")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write a table for documentation to FILE")
    options = parser.parse_args()
    if options.quick:
        options.jobs, options.rounds = 100, 1
    if min(options.jobs, options.rounds, *options.workers) < 1:
        parser.error("jobs, rounds and workers are 1 or more")
    return options


@contextlib.contextmanager
def _peers(names: list[str]) -> Iterator[list[tuple[Result, Peer]]]:
    """All of them, installed and with their servers up, as far as they can be."""
    entries = []
    (ROOT / "build").mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        for name in names:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="peer-", dir=ROOT / "build"))
            peer = FIELD[name](Path(folder))
            result = Result(peer.name, peer.configuration, peer.keeps)
            try:
                result.version = peer.install()
                stack.enter_context(peer)
            except Unavailable as reason:
                result.unavailable = str(reason)
            print(
                f"{result.name:<27}{result.version or '':<12}{result.unavailable or result.configuration}",
                flush=True,
            )
            entries.append((result, peer))
        yield entries


def _round(entries: list[tuple[Result, Peer]], jobs: int, workers: int) -> None:
    for result, peer in entries:
        if result.unavailable is None:
            try:
                run = race(peer, max(1, jobs // peer.part), workers)
                result.runs.setdefault(workers, []).append(run)
            except (subprocess.SubprocessError, OSError, ValueError) as error:
                result.unavailable = f"failed: {error}"


if __name__ == "__main__":
    main()
