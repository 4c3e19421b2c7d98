"""Walks every interleaving in a small scope, and prints the result. Exits with 1 if a law was broken."""

from __future__ import annotations

import argparse
import sys

from .defects import DEFECTS, FORGETS_CANCELLATION
from .laws import LAWS
from .scope import LONG, Scope
from .walk import Result, explore


def main() -> int:
    options = _options()
    scope = LONG._replace(
        jobs=options.jobs, runners=options.runners, disturbances=options.disturbances, max_retries=options.retries
    )
    if options.defects:
        return _try_defects(scope)
    result = explore(scope, FORGETS_CANCELLATION if options.without_fix else None)
    _print(result)
    return 1 if result.violations else 0


def _print(result: Result) -> None:
    for violation in result.violations:
        print(f"Broken: {violation.broken.sentence}\n")
        for number, text in enumerate(violation.trace, 1):
            print(f"  {number}. {text}")
        print(f"\nThen: {violation.broken.wrong}\n")
    print(f"{len(LAWS) + 1} laws; {result}")


def _try_defects(scope: Scope) -> int:
    missed = 0
    for defect in DEFECTS:
        found = explore(scope, defect).violations
        missed += not found
        how = f"after {len(found[0].trace)} steps: {found[0].broken.sentence}" if found else "NOT FOUND"
        print(f"{defect.name}: {how}", flush=True)
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="explore", description=__doc__)
    parser.add_argument("--jobs", type=int, default=LONG.jobs, help="default: %(default)s")
    parser.add_argument("--runners", type=int, default=LONG.runners, help="default: %(default)s")
    parser.add_argument("--disturbances", type=int, default=LONG.disturbances, help="default: %(default)s")
    parser.add_argument("--retries", type=int, default=LONG.max_retries, help="of a job; default: %(default)s")
    parser.add_argument("--without-fix", action="store_true", help="let `disown` forget cancellations again")
    parser.add_argument("--defects", action="store_true", help="try each deliberate defect: is it found?")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
