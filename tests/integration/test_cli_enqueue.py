"""`queuectl enqueue`: what it prints, what it accepts, and which variables of the shell travel with a job."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from cli import counts, enqueue, environment, job, on_terminal, pool, program, run, show, wait_for
from queuectl.model.command import EXEC
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview

COMPLETED = JobState.COMPLETED


def commands(storage: RedisStorage, ids: list[str]) -> list[bytes]:
    return [job(storage, job_id).command for job_id in ids]


# What it prints -----------------------------------------------------------------------------------


def test_the_full_id_stands_alone_on_stdout(queue: RedisStorage) -> None:
    answer = run("enqueue", "true")
    assert re.fullmatch(rb"[0-9a-f]{16}\n", answer.raw)
    assert answer.err == ""
    assert job(queue, answer.out.strip()).command == b"true"


def test_a_shell_can_keep_the_id(queue: RedisStorage) -> None:
    script = f'id=$({program()} enqueue "echo hi") && {program()} show "$id" --json'
    done = subprocess.run(["sh", "-c", script], env=environment(), check=True, stdout=subprocess.PIPE)
    assert b'"command": "echo hi"' in done.stdout


def test_with_json_it_is_an_object(queue: RedisStorage) -> None:
    (answer,) = run("enqueue", "--json", "true").objects
    assert list(answer) == ["id"]
    assert job(queue, answer["id"]).command == b"true"


def test_on_a_terminal_it_says_what_to_do_next(queue: RedisStorage) -> None:
    said = on_terminal("enqueue", "true")
    assert re.match(r"[0-9a-f]{16}\n", said)
    assert "queuectl worker start" in said
    with pool(queue):
        job_id, said = on_terminal("enqueue", "true").split("\n", 1)
        assert f"queuectl logs -f {job_id[:8]}" in said


# Many at once -------------------------------------------------------------------------------------


@pytest.mark.parametrize("through_stdin", [False, True])
def test_a_file_of_commands(queue: RedisStorage, tmp_path: Path, through_stdin: bool) -> None:
    text = b"echo 1\n\n   \necho 2\r\n\t\n\recho 3\necho 4 without a line end"
    if through_stdin:
        ids = run("enqueue", "--from", "-", stdin=text).lines
    else:
        (tmp_path / "commands").write_bytes(text)
        ids = run("enqueue", "--from", str(tmp_path / "commands")).lines
    # Blank lines are none, a CR belongs to the line end only there.
    assert commands(queue, ids) == [b"echo 1", b"echo 2", b"\recho 3", b"echo 4 without a line end"]
    assert queue.r.lrange("queuectl:jobs", 0, -1) == ids[::-1], "the first is taken first"


def test_commands_that_end_with_nul_may_hold_line_breaks(queue: RedisStorage) -> None:
    ids = run("enqueue", "--null", "--from", "-", stdin=b"echo 1\necho 2\0echo 3\r\n\0").lines
    assert commands(queue, ids) == [b"echo 1\necho 2", b"echo 3\r\n"]


def test_two_thousand_lines_keep_their_order(queue: RedisStorage) -> None:
    lines = [b"echo %d" % number for number in range(2_000)]
    ids = run("enqueue", "--from", "-", stdin=b"\n".join(lines)).lines
    assert len(set(ids)) == 2_000
    assert counts() == {"pending": 2_000}
    assert queue.r.lrange("queuectl:jobs", 0, -1) == ids[::-1]
    assert commands(queue, ids) == lines


def test_lines_with_json_and_options(queue: RedisStorage) -> None:
    answer = run("enqueue", "--from", "-", "--json", "--timeout", "7", "--max-retries", "0", stdin=b"true\nfalse\n")
    jobs = [job(queue, found["id"]) for found in answer.objects]
    assert [(each.command, each.options.timeout, each.policy.max_retries) for each in jobs] == [
        (b"true", 7.0, 0),
        (b"false", 7.0, 0),
    ]


def test_all_jobs_are_added_though_nobody_reads_their_ids(queue: RedisStorage, tmp_path: Path) -> None:
    (tmp_path / "commands").write_text("true\n" * 5_000)
    script = f"{program()} enqueue --from {tmp_path / 'commands'} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", script + '; exit "${PIPESTATUS[0]}"'],
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert counts() == {"pending": 5_000}


# Arguments without a shell ------------------------------------------------------------------------


def test_arguments_reach_the_program_as_they_are(queue: RedisStorage) -> None:
    arguments: list[str | bytes] = [
        "two words",
        "",
        "'",
        '"',
        "$HOME",
        "*",
        "a\nb",
        "--option",
        "--",
        "\\",
        b"\xff\xfe",
        "é",
    ]
    script = r'for argument; do printf "<%s>" "$argument"; done'
    job_id = enqueue("--", "sh", "-c", script, "sh", *arguments)
    with pool(queue):
        wait_for(queue, job_id, COMPLETED)
    expected = b"".join(b"<%s>" % os.fsencode(argument) for argument in arguments)
    assert run("logs", job_id).raw == expected
    assert job(queue, job_id).form == EXEC
    assert show(job_id)["shell"] is False
    assert show(job_id)["command"].startswith("sh -c 'for argument;")


def test_bytes_that_are_no_text_run_as_they_are(queue: RedisStorage) -> None:
    shell = enqueue(b"printf %s '\xff\xfe\x80' | od -An -tx1")
    file = run("enqueue", "--from", "-", stdin=b"printf %s '\x80\xff' | od -An -tx1\n").out.strip()
    with pool(queue):
        for job_id in (shell, file):
            wait_for(queue, job_id, COMPLETED)
    assert run("logs", shell).out.split() == ["ff", "fe", "80"]
    assert run("logs", file).out.split() == ["80", "ff"]
    assert show(shell)["command"] == "printf %s '\udcff\udcfe\udc80' | od -An -tx1"


def test_a_program_is_found_on_the_path_of_the_shell_that_enqueued(queue: RedisStorage, tmp_path: Path) -> None:
    tool = tmp_path / "my-tool"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    job_id = enqueue("--", "my-tool", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    with pool(queue):
        wait_for(queue, job_id, COMPLETED)
    assert run("logs", job_id).out == "found\n"


# What goes along ----------------------------------------------------------------------------------


def test_a_job_runs_in_the_directory_it_was_enqueued_from(queue: RedisStorage, tmp_path: Path) -> None:
    folder = tmp_path / "a b\nü"
    folder.mkdir()
    job_id = enqueue("pwd -P > here", cwd=folder)
    with pool(queue, cwd="/"):
        wait_for(queue, job_id, COMPLETED)
    assert (folder / "here").read_text() == f"{folder.resolve()}\n"


def test_a_removed_directory_is_said(queue: RedisStorage, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    job_id = enqueue("--max-retries", "0", "true", cwd=folder)
    folder.rmdir()
    with pool(queue):
        dead = wait_for(queue, job_id, JobState.DEAD)
    assert dead.exit_code == 126
    assert dead.reason == f"its directory can't be entered: {folder}: No such file or directory"
    assert str(folder) in run("logs", job_id).out


def test_nothing_can_be_enqueued_from_a_removed_directory(queue: RedisStorage, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    script = f"cd {folder} && rmdir {folder} && exec {program()} enqueue true"
    done = subprocess.run(["sh", "-c", script], env=environment(), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"Error: The current directory was removed")
    assert counts() == {}


def test_some_variables_come_from_the_shell_and_all_others_from_the_worker(queue: RedisStorage) -> None:
    names = ["VIRTUAL_ENV", "LANG", "TZ", "FROM_SHELL", "FROM_WORKER", "HOME"]
    shell = {"VIRTUAL_ENV": "/shell/venv", "LANG": "C", "TZ": "Asia/Tokyo", "FROM_SHELL": "1", "HOME": "/shell"}
    worker = {"VIRTUAL_ENV": "/worker/venv", "LANG": "C.UTF-8", "TZ": "UTC", "FROM_WORKER": "2", "HOME": "/worker"}
    path = f"/shell/bin:{os.environ['PATH']}"
    job_id = enqueue("; ".join(f'echo "${name}"' for name in [*names, "PATH"]), env={**shell, "PATH": path})
    with pool(queue, env={**worker, "FROM_SHELL": None}):
        wait_for(queue, job_id, COMPLETED)
    assert run("logs", job_id).lines == ["/shell/venv", "C", "Asia/Tokyo", "", "2", "/worker", path]


def test_variables_are_stored_once_for_many_jobs(queue: RedisStorage) -> None:
    run("enqueue", "--from", "-", stdin=b"true\n" * 50)
    enqueue("true")
    (key,) = queue.r.keys("queuectl:env:*")
    assert queue.r.hget(key, "jobs") == "51"


def test_a_job_is_told_who_it_is(queue: RedisStorage) -> None:
    job_id = enqueue(
        'echo "$QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE $QUEUECTL_QUEUE"; echo $QUEUECTL_WORKER'
    )
    with pool(queue):
        (worker,) = queue.run(overview()).workers
        wait_for(queue, job_id, COMPLETED)
    assert run("logs", job_id).lines == [f"{job_id} 1 1 default", worker]


# Options ------------------------------------------------------------------------------------------


def test_a_jobs_own_options_stand_above_the_configuration(queue: RedisStorage) -> None:
    run("config", "set", "--max-retries", "7", "--backoff-base", "3", "--backoff-factor", "1.5", "--timeout", "60")
    plain = show(enqueue("true"))
    own = show(
        enqueue("--max-retries", "0", "--backoff-base", "0.5", "--backoff-factor", "1", "--timeout", "0", "true")
    )
    names = ("max_retries", "backoff_base", "backoff_factor", "timeout")
    assert [plain[name] for name in names] == [7, 3.0, 1.5, 60.0]
    assert [own[name] for name in names] == [0, 0.5, 1.0, None]


def test_a_job_keeps_the_policy_it_was_enqueued_with(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    run("config", "set", "--max-retries", "9")
    assert show(job_id)["max_retries"] == 3
    run("config", "reset")
    assert show(enqueue("true"))["max_retries"] == 3


@pytest.mark.parametrize(
    "words",
    [
        ["two", "words"],
        ["--from", "-", "true"],
        ["--from", "-", "--", "true"],
        ["--"],
        [],
    ],
)
def test_what_is_neither_one_command_nor_a_program_with_arguments(words: list[str]) -> None:
    answer = run("enqueue", *words, code=2, stdin=b"true\n")
    assert answer.out == ""
    assert answer.err.startswith("Error: ")


def test_a_namespace_is_a_queue_of_its_own(queue: RedisStorage) -> None:
    job_id = run("--namespace", "other", "enqueue", "true").out.strip()
    assert counts() == {}
    assert queue.r.lrange("other:jobs", 0, -1) == [job_id]
    run("show", job_id, code=3)
    assert run("show", job_id, "--json", env={"QUEUECTL_NAMESPACE": "other"}).object["status"] == "pending"


def test_a_person_is_told_to_resume_what_was_stopped(queue: RedisStorage) -> None:
    run("worker", "stop")
    said = on_terminal("enqueue", "true")
    assert ("worker resume" in said, "worker start" in said) == (True, False)
    assert "worker resume" in on_terminal("worker", "list")
    assert "The stop signal is set. Go on with: queuectl worker resume" in run("status").out


def test_labels_are_stored_and_shown(queue: RedisStorage) -> None:
    job_id = enqueue("--label", "nightly", "--label", "site=a", "--label", "nightly", "true")
    assert queue.r.hget(f"queuectl:jobs:{job_id}", "label") == "nightly\nsite=a"
    assert show(job_id)["label"] == ["nightly", "site=a"]
    assert "nightly, site=a" in run("show", job_id).out
    assert show(enqueue("true"))["label"] == []


@pytest.mark.parametrize("text", ["", " x", "a\tb", "a\nb\n", "x" * 201, "\x1b[2J"])
def test_a_text_that_is_no_label_adds_nothing(queue: RedisStorage, text: str) -> None:
    answer = run("enqueue", "--label", text, "true", code=2)
    assert "label must be" in answer.err
    assert queue.run(overview()).jobs[JobState.PENDING] == 0


@pytest.mark.parametrize("words", [["nice"], ["--", "nice"]], ids=["shell", "program"])
@pytest.mark.parametrize("limits", [[], ["--memory", "1G"]], ids=["plain", "limited"])
def test_a_nice_job_runs_with_a_lower_priority(queue: RedisStorage, words: list[str], limits: list[str]) -> None:
    job_id = enqueue("--nice", "7", *limits, *words)
    plain = enqueue("nice")
    with pool(queue):
        wait_for(queue, job_id, COMPLETED)
        wait_for(queue, plain, COMPLETED)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert run("logs", job_id).out == f"{min(19, own + 7)}\n"
    assert run("logs", plain).out == f"{own}\n"
    assert show(job_id)["nice"] == 7


@pytest.mark.parametrize("priority", [[], ["--nice", "1"]], ids=["plain", "nice"])
def test_a_priority_changes_neither_dollar_0_nor_a_program_that_begins_with_a_dash(
    queue: RedisStorage, tmp_path: Path, priority: list[str]
) -> None:
    (tmp_path / "-x").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "-x").chmod(0o755)
    script = enqueue(*priority, "echo $0")
    program = enqueue(*priority, "--", "-x", "-y", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    with pool(queue):
        wait_for(queue, script, COMPLETED)
        wait_for(queue, program, COMPLETED)
    assert run("logs", script).out == "sh\n"
    assert run("logs", program).out == "-y\n"


@pytest.mark.parametrize("text", ["-1", "20", "low", "1.5"])
def test_a_priority_that_there_is_not_adds_nothing(queue: RedisStorage, text: str) -> None:
    assert "nice must be a whole number" in run("enqueue", f"--nice={text}", "true", code=2).err
    assert queue.run(overview()).jobs[JobState.PENDING] == 0
