"""The plots of the documentation, measured and drawn: cost against queue size, and drain against workers."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import drain, machine, scale
from benchmarks.drain import SYNCS
from benchmarks.extent import Extent
from benchmarks.sandbox import Sandbox
from benchmarks.svg import Point, Series, chart, linear_axis, logarithmic_axis


def draw(extent: Extent, folder: Path) -> Iterator[Path]:
    """Measure and draw all; gives each file once it is written."""
    note = "{processors}, {server}, {date}; the thin lines are the range of all rounds".format(**machine.describe())
    for name, text in (("cost-by-size", _cost_by_size), ("drain-by-workers", _drain_by_workers)):
        path = folder / f"{name}.svg"
        path.write_text(text(extent, note), encoding="utf-8")
        yield path


def _cost_by_size(extent: Extent, note: str) -> str:
    sizes, rounds, turns = extent.pick(
        ([100, 1000, 10_000], 2, 5), ([100, 1000, 10_000, 100_000, 1_000_000], 5, 25)
    )
    with Sandbox("everysec") as sandbox:
        times = scale.timed(scale.queues(sandbox, sizes), rounds, turns)
    names = [name for name in dict.fromkeys(name for name, _ in times) if "pending" not in name]
    series = [_series(name, {size: _milliseconds(times[name, size]) for size in sizes}) for name in names]
    return chart(
        "What a call costs, against the number of jobs in the queue",
        logarithmic_axis("jobs in the queue", sizes),
        logarithmic_axis("milliseconds a call", _all_values(series)),
        series,
        note,
    )


def _drain_by_workers(extent: Extent, note: str) -> str:
    jobs, rounds, counts = extent.pick((100, 2, [1, 2, 4]), (1000, 5, [1, 2, 4, 8, 16, 32]))
    with Sandbox("always") as always, Sandbox("everysec") as everysec:
        runs = drain.run(always, everysec, jobs, rounds, counts)
    rates = {"xargs -P": {count: [jobs / each for each in runs.xargs[count]] for count in counts}}
    for sync in SYNCS:
        rates[f"queuectl, fsync {sync}"] = {
            count: [jobs / each.drain for each in runs.queuectl[count, sync]] for count in counts
        }
    series = [_series(name, values) for name, values in rates.items()]
    return chart(
        "No-op jobs drained in a second, against the number of workers",
        logarithmic_axis("workers", counts, base=2),
        linear_axis("jobs a second", _all_values(series)),
        series,
        note,
    )


def _series(name: str, values: Mapping[int, Sequence[float]]) -> Series:
    return Series(name, [Point(x, statistics.median(y), min(y), max(y)) for x, y in values.items()])


def _all_values(series: Sequence[Series]) -> list[float]:
    return [value for each in series for point in each.points for value in (point.low, point.high)]


def _milliseconds(microseconds: Sequence[float]) -> list[float]:
    return [each / 1000 for each in microseconds]
