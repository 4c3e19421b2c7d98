"""What the benchmarks count, judge and draw; no test checks how fast anything is."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.busy_slots import Sample, steady
from benchmarks.command_count import CommandCount, counted
from benchmarks.extent import Depth, Extent
from benchmarks.figures import Figure
from benchmarks.smoke import Check, run
from benchmarks.svg import Point, Series, chart, linear_axis, logarithmic_axis
from benchmarks.targets import TARGETS, Target

# Targets and figures ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (Target(0.95, at_least=True), 0.95, True),
        (Target(0.95, at_least=True), 0.949, False),
        (Target(1.2, at_least=False), 1.2, True),
        (Target(1.2, at_least=False), 1.201, False),
    ],
)
def test_a_target_holds_up_to_its_bound(target: Target, value: float, met: bool) -> None:
    assert target.met(value) is met
    assert target.verdict(value).endswith(": met" if met else ": missed")


def test_a_loosened_target_is_easier_on_either_side() -> None:
    assert Target(3, at_least=True).loosened(3) == Target(1, at_least=True)
    assert Target(2, at_least=False).loosened(3) == Target(6, at_least=False)


def test_a_figure_shows_its_target_beside_it() -> None:
    figure = Figure.median("drain of all", [0.9, 0.91, 1.2], "x", target="drain-4-always")
    assert figure.line(figure.verdict()).endswith(" x               target at least 0.95: missed")
    assert figure.row(figure.verdict()) == "| drain of all | 0.91 x | 0.90 | 1.20 | target at least 0.95: missed |"


def test_a_figure_tells_programs_whether_its_target_is_met() -> None:
    figure = Figure.median("drain", [0.97], "x", target="drain-4-always")
    assert figure.as_json()["target"] == {"key": "drain-4-always", "bound": 0.95, "at_least": True, "met": True}
    assert Figure.median("other", [1.0], "x").as_json()["target"] is None


def test_every_target_can_be_told() -> None:
    assert {key: target.words() for key, target in TARGETS.items()}["memory"] == "at most 500"


def test_a_full_run_does_what_the_usual_one_does_unless_told_otherwise() -> None:
    assert [Extent(depth).pick(1, 2) for depth in Depth] == [1, 2, 2]
    assert [Extent(depth).pick(1, 2, 3) for depth in Depth] == [1, 2, 3]


def test_one_failed_check_fails_the_smoke(capsys: pytest.CaptureFixture[str]) -> None:
    good = Check("good", 3.5, TARGETS["scale"].loosened(3))
    bad = Check("bad", 3.7, TARGETS["scale"].loosened(3))
    assert run([good, good]) == 0
    assert run([good, bad, good]) == 1
    assert "FAIL bad: 3.70 (at most 3.6)\n" in capsys.readouterr().out


# Counting -----------------------------------------------------------------------------------------


def test_commands_of_clients_and_of_scripts_are_counted_apart() -> None:
    lines = [
        b'+1700000000.000001 [0 unix:/tmp/a [b] socket] "EVALSHA" "abc" "[0 lua] \\"x\\""',
        b'+1700000000.000002 [0 lua] "HGET" "a" "b"',
        b'+1700000000.000003 [0 lua] "HSET" "a" "b" "c"',
        b'+1700000000.000004 [0 127.0.0.1:5000] "PING"',
    ]
    assert counted(lines) == CommandCount(sent=2, in_scripts=2)
    assert counted(lines).total == 4


def test_what_is_no_line_of_the_monitor_is_refused() -> None:
    with pytest.raises(ValueError, match="no line of MONITOR"):
        counted([b"$5"])


def test_slots_are_looked_at_between_the_last_ones_first_job_and_the_last_claim() -> None:
    looks = [
        Sample(at=1, running=2, leased=4, over=0),
        Sample(at=2, running=3, leased=4, over=1),
        Sample(at=3, running=4, leased=4, over=2),
        Sample(at=4, running=1, leased=1, over=7),
    ]
    assert steady(looks, slots=4, last_claim=3.5) == looks[1:3]


# Drawing ------------------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-3, 1e9), min_size=1))
def test_a_linear_axis_holds_all_values_and_has_a_handful_of_marks(values: list[float]) -> None:
    axis = linear_axis("y", values)
    assert all(0 <= axis.share(value) <= 1 for value in values)
    assert 4 <= len(axis.ticks) - 1 <= 10
    assert (axis.share(axis.ticks[0]), axis.share(axis.ticks[-1])) == (0, 1)


@given(st.lists(st.floats(1e-6, 1e9), min_size=1), st.sampled_from([2, 10]))
def test_a_logarithmic_axis_holds_all_values(values: list[float], base: int) -> None:
    axis = logarithmic_axis("x", values, base)
    assert all(-1e-6 <= axis.share(value) <= 1 + 1e-6 for value in values)
    assert axis.share((axis.start * axis.end) ** 0.5) == pytest.approx(0.5)


def drawn(names: list[str], y: float = 5) -> ElementTree.Element:
    series = [Series(name, [Point(1, y, y - 1, y + 1), Point(100, y, y, y)]) for name in names]
    return ElementTree.fromstring(
        chart("A & B", logarithmic_axis("jobs", [1, 100]), linear_axis("<ms>", [10]), series, "note")
    )


SVG = "{http://www.w3.org/2000/svg}"


def test_a_chart_is_well_formed_and_holds_each_series() -> None:
    root = drawn(["one", "two <&>"])
    texts = [text.text for text in root.iter(f"{SVG}text")]
    for expected in ("A & B", "<ms>", "jobs", "one", "two <&>", "100", "note"):
        assert expected in texts
    lines = [line.get("points", "").split() for line in root.iter(f"{SVG}polyline")]
    assert [len(line) for line in lines] == [2, 2]


def test_the_higher_value_is_drawn_higher() -> None:
    low, high = (
        float(next(drawn(["s"], y).iter(f"{SVG}polyline")).get("points", "").split()[0].split(",")[1])
        for y in (2, 8)
    )
    assert high < low


def test_names_of_lines_that_end_at_one_place_do_not_overlap() -> None:
    names = ["a1", "a2", "a3", "a4", "a5", "a6"]
    for y in (1, 5, 9):
        places = sorted(
            float(text.get("y", "0")) for text in drawn(names, y).iter(f"{SVG}text") if text.text in names
        )
        assert all(after - before >= 14 for before, after in pairwise(places))
