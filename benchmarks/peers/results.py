"""What the runs have shown: a table for people, an object for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import Figure, short
from benchmarks.peers.exactness import Tally, sum_of
from benchmarks.peers.race import Run

NAME_WIDTH = 25
HEADINGS = ("enqueue/s", "drain/s", "lowest", "highest", "x xargs", "lowest", "highest", "with start")


@dataclass
class Result:
    """One peer's runs, by the number of workers; ``unavailable`` says why there are none, or no more."""

    name: str
    configuration: str
    keeps: str
    version: str | None = None
    unavailable: str | None = None
    runs: dict[int, list[Run]] = field(default_factory=dict)

    def figures(self, workers: int, reference: Sequence[Run]) -> dict[str, Figure]:
        """Over the rounds in which every job has run; the ratio over those where xargs has a time, too."""
        runs = self.runs.get(workers, [])
        drained = [run.drained for run in runs if run.drained]
        values = {
            "enqueue": ([run.enqueue for run in runs if run.enqueue], "jobs/s"),
            "drain": ([one.drain for one in drained], "jobs/s"),
            "with_start": ([one.with_start for one in drained], "jobs/s"),
            "ratio": (
                [
                    run.drained.drain / base.drained.drain
                    for run, base in zip(runs, reference, strict=False)
                    if run.drained and base.drained
                ],
                "x xargs",
            ),
        }
        return {name: Figure.median(name, rates, unit) for name, (rates, unit) in values.items() if rates}

    def tally(self, workers: int) -> Tally:
        """Of all rounds together."""
        return sum_of(run.tally for run in self.runs.get(workers, []))

    def line(self, workers: int, reference: Sequence[Run]) -> str:
        """As a line of the table."""
        name = f"  {self.name:<{NAME_WIDTH}}"
        if not self.runs.get(workers):
            return f"{name}  {self.unavailable}"
        figures = self.figures(workers, reference)
        cells = [_value(figures, "enqueue"), *_spread(figures, "drain"), *_spread(figures, "ratio")]
        cells.append(_value(figures, "with_start"))
        failed = f"; then: {self.unavailable}" if self.unavailable else ""
        return f"{name}{''.join(f'{cell:>11}' for cell in cells)}  {self.tally(workers).words()}{failed}"

    def as_json(self, references: dict[int, list[Run]]) -> dict[str, Any]:
        """As an object for programs."""
        return {
            "version": self.version,
            "configuration": self.configuration,
            "keeps": self.keeps,
            "unavailable": self.unavailable,
            "workers": {
                str(workers): {
                    **{
                        name: figure.as_json()
                        for name, figure in self.figures(workers, references.get(workers, [])).items()
                    },
                    **self.tally(workers)._asdict(),
                }
                for workers in self.runs
            },
        }


def table(results: Sequence[Result], workers: int, reference: Sequence[Run]) -> Iterator[str]:
    """The lines of the table for one number of workers."""
    yield f"  {f'{workers} at a time':<{NAME_WIDTH}}{''.join(f'{cell:>11}' for cell in HEADINGS)}  exactly once"
    for result in results:
        yield result.line(workers, reference)


def markdown(results: Sequence[Result], references: dict[int, list[Run]]) -> Iterator[str]:
    """The lines of one table for all numbers of workers, as in `docs/explanation/performance.md`."""
    counts = list(references)
    titles = ["", f"enqueue/s ({counts[-1]} workers)"]
    titles += [title for workers in counts for title in (f"drain/s, {workers} workers", "of xargs")]
    yield _row([*titles, "exactly once"])
    yield _row(["---"] * (len(titles) + 1))
    for result in results:
        figures = {workers: result.figures(workers, references[workers]) for workers in counts}
        cells = [f"{result.name} {result.version or ''}".strip(), _value(figures[counts[-1]], "enqueue")]
        for workers in counts:
            ratio, low, high = _spread(figures[workers], "ratio")
            cells += [_value(figures[workers], "drain"), f"{ratio} ({low}-{high})" if low else ratio]
        tally = sum_of(result.tally(workers) for workers in counts)
        yield _row([*cells, result.unavailable or tally.words()])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _value(figures: dict[str, Figure], name: str) -> str:
    return short(figures[name].value) if name in figures else "-"


def _spread(figures: dict[str, Figure], name: str) -> tuple[str, str, str]:
    if name not in figures:
        return "-", "", ""
    figure = figures[name]
    return short(figure.value), short(figure.low), short(figure.high)
