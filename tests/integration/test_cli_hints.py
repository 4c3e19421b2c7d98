"""A command's messages: hints that can be typed as they are, errors in one style, lost input."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from cli import counts, enqueue, environment, on_terminal, program, run, spawn, without_colours
from cli import finish as finish_command
from queuectl.storage import RedisStorage
from queuectl.worker.pool.temporary import session_environment
from servers import Server
from steps import add_one, claim, finish
from waiting import wait_until


def said(*words: str, **options: object) -> str:
    """What a terminal gets, its line breaks as spaces."""
    return " ".join(without_colours(on_terminal(*words, **options)).split())  # type: ignore[arg-type]


# Hints --------------------------------------------------------------------------------------------


def test_a_hint_repeats_the_namespace_that_was_given(queue: RedisStorage) -> None:
    start = "queuectl --namespace reports worker start --count 2"
    assert start in said("--namespace", "reports", "status")
    assert start in said("--namespace", "reports", "worker", "list")
    assert start in said("--namespace", "reports", "enqueue", "true")
    assert "reports" not in said("status")


def test_a_hint_that_comes_with_an_error_repeats_it_too(queue: RedisStorage) -> None:
    assert "See: queuectl --namespace reports list" in run("--namespace", "reports", "show", "abcd", code=3).err
    assert run("show", "abcd", code=3).err.endswith("See: queuectl list\n")


def test_a_hint_names_the_server_that_was_given_without_its_password(valkey_server: Server) -> None:
    path = valkey_server.url.removeprefix("unix://")
    shown = said("--redis-url", f"unix://default:s3cret@{path}", "status", code=None)
    assert "s3cret" not in shown
    assert "queuectl --redis-url URL worker start" in shown, "a hint with *** would send that as the password"
    assert f"queuectl --redis-url {valkey_server.url} worker start" in said(
        "--redis-url", valkey_server.url, "status"
    )


def test_a_stop_without_workers_says_that_it_holds(queue: RedisStorage) -> None:
    assert "Jobs wait until: queuectl worker resume" in said("worker", "stop")


def test_who_follows_a_job_that_waits_is_told_why(queue: RedisStorage) -> None:
    job_id = add_one(queue)
    with spawn("logs", "-f", job_id, stderr=subprocess.PIPE) as following:
        assert following.stderr is not None
        assert b"no worker is running" in following.stderr.readline()
        run("cancel", job_id)
        following.wait(60)


def test_ctrl_c_while_the_commands_are_read_says_that_none_was_added(queue: RedisStorage) -> None:
    with spawn("enqueue", "--from", "-", stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"true\n" * 100_000)  # more than a pipe takes: it has begun to read
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert b"Interrupted. No job was added." in process.communicate(timeout=60)[1]
    assert counts() == {}


def test_a_hint_calls_the_program_as_it_was_called(queue: RedisStorage) -> None:
    elsewhere = {"PATH": "/usr/bin:/bin"}
    assert f"Start some with: {program()} worker start" in said("status", env=elsewhere)
    assert f"See: {program()} list" in run("show", "abcd", code=3, env=elsewhere).err
    assert "Start some with: queuectl worker start" in said("status")


def test_a_command_in_a_hint_is_never_broken_in_two(queue: RedisStorage) -> None:
    shown = without_colours(on_terminal("--namespace", "a" * 30, "status", columns=60))
    assert f"queuectl --namespace {'a' * 30} worker start --count 2" in shown.splitlines()


def test_an_empty_list_says_where_the_jobs_are(queue: RedisStorage) -> None:
    assert "No jobs. Add one with: queuectl enqueue 'echo hello'" in said("list")
    add_one(queue)
    finish(queue, claim(queue)[0], "dead", exit_code=1, cause="exit:1")
    add_one(queue)
    shown = said("list", "--state", "failed")
    assert "No job is failed. In the queue: 1 pending, 1 dead. See: queuectl list --state dead" in shown
    assert run("list", "--state", "failed") == (0, b"", "")


# Errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["enqueue", "--delay", "5", "true"], "There is no option --delay.\n"),
        (["list", "--stat", "dead"], "There is no option --stat. Did you mean --state?"),
        (["worker", "stat"], "There is no command 'worker stat'. Did you mean start?"),
        (["worker", "start", "--count", "x"], "--count must be a whole number, not 'x'."),
        (["list", "--limit", "-1"], "--limit must be a whole number from 0 to 1,000,000,000, not '-1'."),
        (["list", "--state", "nope"], "--state must be one of pending, processing, "),
        (["list", "--after", "nope"], "--after must be a cursor"),
        (["show"], "ID is missing."),
        (["list", "--limit"], "--limit needs a value."),
        (["list", "--json=5"], "--json takes no value.\nTry: queuectl list --help"),
        (["--insecure-redis=5"], "--insecure-redis takes no value."),
        (["completion", "tcsh"], "shell must be one of bash, zsh, fish, not 'tcsh'."),
        (["status", "extra"], "There is more than the command takes: extra"),
        (["config", "set", "nonsense=5"], "There is no setting 'nonsense'."),
        (["config", "set", "5"], "'5' sets nothing."),
        (["help", "nope"], "There is no command 'nope'."),
        (["worker", "stop", "--timeout", "5"], "it goes with --wait"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_was_typed_wrongly_is_told_in_one_voice(words: list[str], expected: str) -> None:
    error = run(*words, code=2).err
    assert error.startswith("Error: ")
    assert expected in error
    assert "--help'" not in error.splitlines()[0]


def test_a_no_changes_nothing_and_says_so(queue: RedisStorage) -> None:
    enqueue("true")
    shown = on_terminal("queue", "clear", stdin=b"n\n", code=1)
    assert "Nothing was changed." in shown
    assert "Abort" not in shown


def test_several_jobs_are_shown_and_one_that_is_missing_is_told(queue: RedisStorage) -> None:
    first, second = enqueue("echo 1"), enqueue("echo 2")
    answer = run("show", first, "ffff", second, code=3)
    assert [line.split()[1] for line in answer.lines if line.startswith("id ")] == [first, second]
    assert "There is no job ffff" in answer.err
    assert [each["id"] for each in run("show", first, second, "--json").objects] == [first, second]


def test_show_leaves_out_what_is_empty_or_as_it_is_by_default(queue: RedisStorage) -> None:
    shown = run("show", enqueue("true")).out
    names = {line.split("  ")[0] for line in shown.splitlines()}
    assert names == {"id", "state", "command", "directory", "attempts", "backoff", "created"}
    assert "timeout    1h" in run("show", enqueue("--timeout", "1h", "true")).out


def test_nothing_is_said_of_how_long_a_job_took_that_was_cancelled_while_it_waited(queue: RedisStorage) -> None:
    job_id = add_one(queue)
    finish(queue, claim(queue)[0], "retry", exit_code=1, cause="exit:1", delay=1000.0)
    run("cancel", job_id)
    assert "took" not in run("show", job_id).out


# Standard input -----------------------------------------------------------------------------------

LOST = "Warning: standard input is not passed to the job."


@pytest.mark.parametrize("words", [[], ["--namespace", "queuectl"]], ids=["short", "long"])
def test_input_that_is_piped_in_and_lost_is_warned_of(queue: RedisStorage, words: list[str]) -> None:
    answer = run(*words, "enqueue", "cat", stdin=b"x\n")
    assert answer.err.startswith(LOST)
    assert len(answer.lines) == 1


def test_input_from_a_file_is_warned_of_but_not_in_a_loop_over_lines(queue: RedisStorage, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("echo 1\necho 2\necho 3\n")
    script = 'while read -r line; do queuectl enqueue "$line"; done < lines'
    done = subprocess.run(["bash", "-c", script], env=environment(), cwd=tmp_path, capture_output=True, check=True)
    assert (done.stdout.count(b"\n"), done.stderr) == (3, b"")
    with open(tmp_path / "lines", "rb") as lines:
        assert finish_command(spawn("enqueue", "cat", stdin=lines)).err.startswith(LOST)


def test_a_pipe_with_nothing_in_it_is_not_warned_of(queue: RedisStorage) -> None:
    assert run("enqueue", "true").err == ""
    process = spawn("enqueue", "true", stdin=subprocess.PIPE)  # as cron, ssh and CI have it
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.communicate()


# Many at once -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"true\n\n--timeout 5 make\n", "Line 3 starts with '-'"),
        (b'{"command": "make"}\n', "Line 1 is a JSON object"),
    ],
)
def test_a_line_that_is_more_than_a_command_is_refused(queue: RedisStorage, text: bytes, expected: str) -> None:
    assert expected in run("enqueue", "--from", "-", stdin=text, code=2).err
    assert counts() == {}


def test_a_terminal_is_told_how_many_jobs_were_added(queue: RedisStorage, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("true\n" * 300)
    shown = on_terminal("enqueue", "--from", str(tmp_path / "lines"))
    assert shown.startswith("300 jobs added\n")
    assert len(run("enqueue", "--from", str(tmp_path / "lines")).lines) == 300


def test_ctrl_c_while_lines_are_added_prints_the_ids_of_exactly_those_that_are(
    queue: RedisStorage, tmp_path: Path
) -> None:
    (tmp_path / "lines").write_text("true\n" * 300_000)
    with open(tmp_path / "ids", "wb") as ids:
        process = spawn("enqueue", "--from", str(tmp_path / "lines"), stdout=ids)
        wait_until(lambda: os.path.getsize(tmp_path / "ids") > 0)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    added = len((tmp_path / "ids").read_text().splitlines())
    assert process.returncode == 130
    assert 0 < added < 300_000
    assert counts() == {"pending": added}
    assert f"The first {added:,} of 300,000 jobs were added, and their ids printed." in err.decode()


# Environment --------------------------------------------------------------------------------------


def test_a_variable_of_one_command_does_not_reach_its_job_by_luck(queue: RedisStorage) -> None:
    assert run("run", 'echo "<$FOO>"', env={"FOO": "bar"}).out == "<>\n", (
        "with a temporary worker as with any other"
    )


def test_a_temporary_worker_gets_what_every_shell_of_a_session_has() -> None:
    environ = {
        "HOME": "/h",
        "PATH": "/bin",
        "LANG": "C",
        "QUEUECTL_HOME": "/q",
        "XDG_STATE_HOME": "/s",
        "TOKEN": "x",
    }
    assert session_environment(environ).keys() == environ.keys() - {"TOKEN"}


# Help, version, completion ------------------------------------------------------------------------


def test_help_is_a_command_and_its_lines_are_whole() -> None:
    assert run("help").out == run("--help").out
    assert run("help", "worker", "start").out == run("worker", "start", "--help").out
    assert "..." not in run("help", "worker").out.partition("Commands:")[2]
    assert run("version").out == run("-V").out == run("--version").out


def test_aliases_are_the_names_that_other_tools_use(queue: RedisStorage) -> None:
    assert run("ls", "--json").raw == run("list", "--json").raw
    assert len(run("add", "true").lines) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    assert "_QUEUECTL_COMPLETE" in run("completion", shell).out


def completed(*words: str) -> list[str]:
    """What bash is offered for the last of ``words``."""
    env = {
        "_QUEUECTL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["queuectl", *words]),
        "COMP_CWORD": str(len(words)),
    }
    return [line.partition(",")[2] for line in run(env=env).lines if line]


def test_ids_are_completed_from_the_server(queue: RedisStorage) -> None:
    first, second = enqueue("true"), enqueue("true")
    assert sorted(completed("show", "")) == sorted([first, second])
    assert completed("cancel", first[:6]) == [first]
    assert completed("--namespace", "other", "show", "") == []


def test_completing_an_id_neither_starts_a_server_nor_complains(queuectl_home: Path) -> None:
    assert completed("show", "") == []
    assert not queuectl_home.exists()
