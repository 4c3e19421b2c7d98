"""Which differences between a page's output and a run's count, and which don't."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.docs.compare import Comparison
from tests.docs.page import steps
from tests.docs.shell import plain

PAGE_ID, RUN_ID, OTHER_ID = "9fa21c07d3b8e645", "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(Path("/tmp/qd-home"))


@pytest.mark.parametrize(
    ("page", "run"),
    [
        ("took 1.4s", "took 21 ms"),
        ("pid 17697.", "pid 4."),
        ("box-0b98c5-1  idle", f"{socket.gethostname()}-123456-7    idle"),
        ("14:21:22 ok", "03:00:59 ok"),
        ("ID    STATE", "ID  STATE"),
        ("/home/ann/x", "/tmp/qd-home/x"),
        ("failed; retry in 0.4s", "failed; retry now"),
        ("110/s", "9,876.5/s"),
    ],
)
def test_what_differs_from_run_to_run_is_no_difference(comparison: Comparison, page: str, run: str) -> None:
    assert comparison.fits([page], [run])


@pytest.mark.parametrize(
    ("page", "run"),
    [("timeout 30s", "timeout 60s"), ("2 jobs", "3 jobs"), ("a b", "a  b"), ("completed", "dead"), ("pid 3", "3")],
)
def test_all_else_is(comparison: Comparison, page: str, run: str) -> None:
    assert not comparison.fits([page], [run])


def test_missing_and_additional_lines_are_differences(comparison: Comparison) -> None:
    assert not comparison.fits(["a", "b"], ["a"])
    assert not comparison.fits(["a"], ["a", "b"])


def test_dots_stand_for_any_lines_but_not_for_the_others(comparison: Comparison) -> None:
    assert comparison.fits(["a", "...", "d"], ["a", "b", "c", "d"])
    assert not comparison.fits(["a", "...", "d"], ["a", "b", "c"])


def test_an_id_stands_for_the_same_job_everywhere(comparison: Comparison) -> None:
    assert comparison.fits([PAGE_ID], [RUN_ID])
    assert comparison.fits([f"{PAGE_ID[:8]} is dead"], [f"{RUN_ID[:8]} is dead"])
    assert not comparison.fits([f"{PAGE_ID[:8]} is dead"], [f"{OTHER_ID[:8]} is dead"])


def test_a_command_names_the_job_of_this_run(comparison: Comparison) -> None:
    comparison.fits([PAGE_ID], [RUN_ID])

    assert comparison.command("queuectl logs 9fa2 | head -n 20") == f"queuectl logs {RUN_ID[:8]} | head -n 20"


def test_an_update_keeps_what_is_right_and_the_ids(comparison: Comparison) -> None:
    page = [PAGE_ID, "took 1.4s", "old"]

    assert comparison.update(page, [RUN_ID, "took 3.7s", f"new {RUN_ID[:8]}"]) == [
        PAGE_ID,
        "took 1.4s",
        f"new {PAGE_ID[:8]}",
    ]


def test_an_update_keeps_what_a_page_leaves_out(comparison: Comparison) -> None:
    assert comparison.update(["a", "...", "d"], ["a", "b", "c", "e"]) == ["a", "...", "e"]


def test_a_page_is_read_as_commands_and_their_output() -> None:
    text = "# T\n\n<!-- run\nmkdir x\n-->\n```console\n$ echo a \\\n> b\na b\n\n$ true\n$ echo $x\n$5\n```\n"

    hidden, *shown = steps(text)

    assert hidden.hidden
    assert hidden.command == "mkdir x\n"
    assert [(step.command, step.output) for step in shown] == [
        ("echo a \\\nb", ["a b", ""]),
        ("true", []),
        ("echo $x", ["$5"]),
    ]
    assert [text[step.first : step.last] for step in shown] == ["a b\n\n", "", "$5\n"]


def test_a_line_that_a_program_rewrites_counts_as_it_ends() -> None:
    assert plain("\x1b[1mold line\x1b[0m\r\x1b[Knew\ndone  \n\n") == ["new", "done"]


TABLE = ["ID        WHEN       COMMAND", f"{PAGE_ID[:8]}  81 ms ago  true", f"{OTHER_ID[:8]}  0.6s ago   false"]


def test_a_table_out_of_line_is_wrong(comparison: Comparison) -> None:
    run = ["ID        WHEN      COMMAND", f"{PAGE_ID[:8]}  0.2s ago  true", f"{OTHER_ID[:8]}  0.6s ago  false"]
    assert comparison.fits(TABLE, run)
    crooked = ["ID        WHEN  COMMAND", *TABLE[1:]]
    assert not comparison.fits(crooked, run)
    assert comparison.update(crooked, run) == run


def test_an_update_of_one_line_keeps_a_table_in_line(comparison: Comparison) -> None:
    run = ["ID        WHEN      COMMAND", f"{PAGE_ID[:8]}  0.2s ago  true", f"{OTHER_ID[:8]}  0.6s ago  echo"]
    assert comparison.update(TABLE, run) == run


def test_the_name_of_this_host_leaves_no_wide_column(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a-long-name-of-a-host", "vm"):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        wide = max(len(name), 4)
        run = [f"{'HOST'.ljust(wide)}  POOL   UP", f"{name.ljust(wide)}  pid 7  1.4s"]
        assert comparison.update(["old"], run) == ["HOST  POOL   UP", "box   pid 7  1.4s"]
