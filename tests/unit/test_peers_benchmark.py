"""`make bench-peers` reports of a peer exactly what the peer did."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.peers.exactness import Tally
from benchmarks.peers.field import FIELD
from benchmarks.peers.installation import debian_package, output
from benchmarks.peers.peer import Peer, Unavailable
from benchmarks.peers.race import Drained, Run, race, watch
from benchmarks.peers.results import Result, markdown, table

EXACT = Tally(lost=0, doubled=0)


class Shell(Peer):
    """Runs the commands one after the other; ``losing`` leaves out the last, ``doubling`` runs the first twice."""

    name, configuration, keeps = "shell", "sh FILE", "nothing"

    def __init__(self, folder: Path, losing: bool = False, doubling: bool = False) -> None:
        super().__init__(folder)
        self._losing, self._doubling = losing, doubling

    def install(self) -> str:
        return "1"

    def enqueue(self, commands: Sequence[str]) -> float:
        chosen = [*commands[: 1 if self._doubling else 0], *commands[: -1 if self._losing else None]]
        (self.folder / "script").write_text("\n".join(chosen))
        return 0.5

    def start(self, workers: int) -> subprocess.Popen[bytes]:
        process = self.spawn(["sh", str(self.folder / "script")], {})
        process.wait()  # so that what is missing once it is watched will not come
        return process


def test_a_run_in_which_each_job_ran_once_has_figures(tmp_path: Path) -> None:
    run = race(Shell(tmp_path), jobs=12, workers=1)
    assert run.tally == EXACT
    assert run.enqueue == 24
    assert run.drained is not None
    assert run.drained.with_start > 0


def test_a_run_that_loses_a_job_has_no_time_and_says_how_many(tmp_path: Path) -> None:
    run = race(Shell(tmp_path, losing=True), jobs=12, workers=1, stalled_seconds=0.01)
    assert run.tally == Tally(lost=1, doubled=0)
    assert run.drained is None


def test_a_job_that_ran_twice_is_told(tmp_path: Path) -> None:
    assert race(Shell(tmp_path, doubling=True), jobs=12, workers=1).tally == Tally(lost=0, doubled=1)


def test_a_double_does_not_make_up_for_a_loss(tmp_path: Path) -> None:
    run = race(Shell(tmp_path, losing=True, doubling=True), jobs=5, workers=1, stalled_seconds=0.01)
    assert run.tally == Tally(lost=1, doubled=1)
    assert run.drained is None


def test_nothing_that_runs_loses_every_job(tmp_path: Path) -> None:
    assert Tally.of(tmp_path / "out", 3) == Tally(lost=3, doubled=0)
    assert watch(tmp_path / "out", 3, time.perf_counter(), stalled_seconds=0.01) is None


def test_a_line_of_no_job_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("0\n7\n")
    with pytest.raises(ValueError, match="holds 7"):
        Tally.of(tmp_path / "out", 3)


def runs(*rates: float, tally: Tally = EXACT) -> list[Run]:
    return [Run(None, Drained(rate, rate / 2), tally) for rate in rates]


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    result = Result("peer", "", "", runs={2: runs(100, 300, 90)})
    ratio = result.figures(2, runs(100, 150, 100))["ratio"]
    assert (ratio.value, ratio.low, ratio.high) == (1.0, 0.9, 2.0)


def test_a_round_without_a_time_leaves_its_ratio_out() -> None:
    lost = Run(None, None, Tally(lost=2))
    result = Result("peer", "", "", runs={2: [lost, *runs(100)]})
    figures = result.figures(2, runs(1, 50))
    assert (figures["ratio"].value, figures["ratio"].samples) == (2.0, 1)
    assert result.line(2, runs(1, 50)).endswith("2 lost")


def test_the_table_sums_up_what_was_wrong_over_the_rounds() -> None:
    wrong = Result("peer", "", "", runs={2: runs(10, tally=Tally(lost=1)) + runs(10, tally=Tally(2, 3))})
    assert list(table([wrong], 2, runs(10, 10)))[-1].endswith("3 lost, 3 doubled")


def test_a_peer_that_cannot_be_measured_gives_its_reason_and_no_number() -> None:
    missing = Result("peer", "", "", unavailable="not installed: sudo apt install peer")
    heading, line = table([missing], 2, runs(10))
    assert "exactly once" in heading
    assert line.split() == ["peer", *["not", "installed:", "sudo", "apt", "install", "peer"]]
    assert missing.as_json({2: runs(10)})["workers"] == {}


def test_the_table_for_documentation_has_a_pair_of_columns_for_each_number_of_workers() -> None:
    result = Result("peer", "", "", version="1", runs={2: runs(50), 4: runs(60, tally=Tally(doubled=1))})
    missing = Result("other", "", "", unavailable="needs node")
    lines = list(markdown([result, missing], {2: runs(100), 4: runs(120)}))
    assert lines[2:] == [
        "| peer 1 | - | 50.0 | 0.50 (0.50-0.50) | 60.0 | 0.50 (0.50-0.50) | 1 doubled |",
        "| other | - | - | - | - | - | needs node |",
    ]


def test_the_object_for_programs_has_the_figures_and_the_counts() -> None:
    result = Result("peer", "run it", "nothing", version="1.2", runs={2: runs(50, 50)})
    told = json.loads(json.dumps(result.as_json({2: runs(100, 100)})))
    assert (told["version"], told["configuration"], told["unavailable"]) == ("1.2", "run it", None)
    figures = told["workers"]["2"]
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert figures["ratio"]["value"] == 0.5
    assert figures["with_start"]["value"] == 25
    assert "enqueue" not in figures


def test_a_missing_program_is_shown_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match=r"^not installed: sudo apt install task-spooler$"):
        debian_package("task-spooler", "tsp")


def test_an_installer_that_fails_gives_the_last_line_that_it_said() -> None:
    with pytest.raises(Unavailable, match=r"^sh: no such package$"):
        output("sh", "-c", "echo trying >&2; echo no such package >&2; exit 1")


def test_every_peer_says_how_it_is_set_up_and_what_it_keeps(tmp_path: Path) -> None:
    peers = [make(tmp_path) for make in FIELD.values()]
    assert len({peer.name for peer in peers}) == len(FIELD)
    for peer in peers:
        assert "WORKERS" in peer.configuration, peer.name
        assert peer.keeps, peer.name
