"""Where an append-only file is whole, and what a server's log says about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.errors import ServerUnreachable
from queuectl.server import failures, trial
from queuectl.server.scan import scan

SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
MULTI, EXEC = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"
NOTE = b"#TS:1700000000\r\n"


@pytest.mark.parametrize(
    ("content", "whole", "problem"),
    [
        (b"", 0, ""),
        (SET * 3, len(SET) * 3, ""),
        (NOTE + SET, len(NOTE + SET), ""),
        (SET + MULTI + SET + EXEC, len(SET + MULTI + SET + EXEC), ""),
        (SET + MULTI + SET, len(SET), ""),
        (SET + MULTI + SET + EXEC[:-1], len(SET), ""),
        (SET + bytes(100), len(SET), "zeros"),
        (MULTI + SET + bytes(100), 0, "zeros"),
        (SET + b"garbage", len(SET), "something other than a command"),
        (SET + MULTI + MULTI + SET, len(SET), "a transaction within another"),
        (SET[:-2] + b"xx" + SET, 0, "a value that does not end where it should"),
        (SET + b"*" + b"9" * 20 + b"\r\n", len(SET), "an invalid length"),
        (SET + b"*0\r\n", len(SET), "a command without a name"),
        (SET + b"*3" + b"3" * 100, len(SET), "a line without an end"),
    ],
)
def test_the_whole_part_ends_where_the_first_problem_begins(
    tmp_path: Path, content: bytes, whole: int, problem: str
) -> None:
    (tmp_path / "f").write_bytes(content)
    found = scan(tmp_path / "f")
    assert (found.size, found.whole, found.problem) == (len(content), whole, problem)
    assert found.is_short == (whole < len(content) and not problem)


@pytest.mark.parametrize("cut", range(len(SET)))
def test_any_cut_leaves_the_writes_before_it(tmp_path: Path, cut: int) -> None:
    (tmp_path / "f").write_bytes(SET + SET[:cut])
    found = scan(tmp_path / "f")
    assert (found.whole, found.problem) == (len(SET), "")


@pytest.mark.parametrize(
    ("code", "log"), [(-9, ""), (1, "1:M 24 Nov 2026 20:00:00.000 # Out Of Memory allocating 9 bytes!\n")]
)
def test_a_trial_without_memory_says_nothing_about_the_data(code: int, log: str) -> None:
    """Else a repair would cut off good data."""
    with pytest.raises(ServerUnreachable, match="could not be tried"):
        trial._reason(code, log)


def test_a_log_is_shown_without_noise_and_foreign_advice() -> None:
    log = (
        "7:M 24 Nov 2026 20:38:06.391 * monotonic clock: X86 TSC @ 2596.69 ticks/us\n"
        "7:M 24 Nov 2026 20:38:06.391 # WARNING Memory overcommit must be enabled!\n"
        "7:M 24 Nov 2026 20:38:06.422 # Bad file format reading the append only file a.aof: "
        "make a backup of your AOF file, then use ./valkey-check-aof --fix <filename.manifest>\n"
    )
    assert trial.complaints(log) == ["Bad file format reading the append only file a.aof."]


def test_cuts_are_found_in_the_log() -> None:
    log = "7:M 24 Nov 2026 20:38:01.311 # !!! Truncating the AOF appendonly.aof.2.incr.aof at offset 2851 !!!\n"
    assert list(failures.truncations(log)) == [("appendonly.aof.2.incr.aof", 2851)]
