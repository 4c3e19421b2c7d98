"""Commands that are executed without a shell do exactly what the shell would have done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import enqueue, run, show
from queuectl.worker.attempt import plain

ALPHABET = "abcXYZ019%+,-./:=@_ \t*?[]{}~$`'\"\\|&;<>()#!^\n"


@given(st.text(ALPHABET, max_size=30))
def test_a_shell_splits_them_as_we_do(text: str) -> None:
    command = b"program " + text.encode()
    words = plain.words(command)
    if words is None:
        return
    script = b"set -- " + command.removeprefix(b"program") + b"; printf '%s\\0' program \"$@\""
    said = subprocess.run([b"/bin/sh", b"-c", script], capture_output=True, check=True).stdout
    assert said.split(b"\0")[:-1] == words


@pytest.mark.parametrize(
    "command",
    [
        "echo x", "cd /tmp", "A=1 env", "ls *.py", "ls ~", "a|b", "a; b", "a && b", "a > b", "echo $HOME", "`a`",
        "a 'b c'", 'a "b"', "a \\b", "a # b", "a\nb", "! a", "if a", "time a", "%1", ". a", "[ a ]", "{ a",
        "exec a", "", " ", "\t",
    ],
)  # fmt: skip
def test_what_only_a_shell_understands_is_left_to_it(command: str) -> None:
    assert plain.words(command.encode()) is None


@pytest.mark.parametrize("command", ["/bin/true", "ls -l --color=never a.b", "make -j4 CC=gcc", "./x\t1"])
def test_plain_words_need_no_shell(command: str) -> None:
    assert plain.words(command.encode()) == command.encode().split()


def test_results_and_messages_are_the_shells(tmp_path: Path) -> None:
    """Programs that can't be found, entered or executed: the same exit code and the same words."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "data").write_text("no program\n")
    (tmp_path / "script").write_text("echo a script without a first line; exit 7\n")
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "lost").write_text("#!/nowhere/at/all\n")
    (tmp_path / "lost").chmod(0o755)
    commands = ["no-such-program a", "./no-such", "./folder", "./data", "./script", "./lost", "/bin/true",
                "ls -d /", "./data/x", "expr 1 - 1", "env -u QUEUECTL_JOB_ID printenv PWD"]  # fmt: skip
    ids = {command: enqueue("--max-retries", "0", command, cwd=tmp_path) for command in commands}
    run("worker", "start", "--burst", "--count", "2", "--quiet")
    for command, job_id in ids.items():
        direct = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, env=os.environ | {"PWD": ""}
        )
        assert show(job_id)["exit_code"] == direct.returncode, command
        assert run("logs", job_id).raw == direct.stdout + direct.stderr, command
