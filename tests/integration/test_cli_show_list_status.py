"""`queuectl list`, `show` and `status`: what people see, and what programs can rely on."""

from __future__ import annotations

import json
import os
import re
from itertools import chain, pairwise

import pytest

from cli import counts, enqueue, on_terminal, pool, run, show, wait_for, without_colours
from queuectl.model.lifecycle import MAX_CRASHES, JobState
from queuectl.model.outcome import COMPLETED, CRASHED, DEAD, HANDED_BACK, RETRY
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from steps import add_one, claim, complete, fail, finish, make_dead
from waiting import wait_until

MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
"""UTC, RFC 3339."""

Text, Number, Moment, Nothing = "text", "number", "moment", "null"

FIELDS = {
    "id": Text,
    "state": Text,
    "status": Text,
    "command": Text,
    "shell": "bool",
    "queue": Text,
    "attempts": Number,
    "crashes": Number,
    "timeout": Nothing,
    "max_retries": Number,
    "backoff_base": Number,
    "backoff_factor": Number,
    "nice": Number,
    "label": "array",
    "limits": "object",
    "cwd": Text,
    "exit_code": Number,
    "cause": Text,
    "reason": Text,
    "created_at": Moment,
    "started_at": Moment,
    "finished_at": Moment,
    "next_retry_at": Nothing,
    "worker": Text,
    "host": Text,
    "fence": Number,
}
"""What a job that completed has."""


def kind(value: object) -> str:
    if isinstance(value, (bool, dict, list)):
        return "bool" if isinstance(value, bool) else "object" if isinstance(value, dict) else "array"
    if isinstance(value, str):
        return Moment if re.fullmatch(MOMENT, value) else Text
    return Nothing if value is None else Number


# JSON ---------------------------------------------------------------------------------------------


def test_a_finished_job_as_json(queue: RedisStorage) -> None:
    job_id = enqueue("echo fine")
    assert run("worker", "start", "--burst").code == 0
    job = show(job_id)
    assert {name: kind(value) for name, value in job.items()} == FIELDS
    assert job["id"] == job_id
    assert (job["status"], job["exit_code"], job["attempts"], job["reason"]) == ("completed", 0, 1, "")
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    assert job["cwd"] == os.getcwd()
    assert job["host"] == os.uname().nodename
    assert job["worker"].startswith(job["host"])


def test_a_waiting_job_as_json(queue: RedisStorage) -> None:
    job = show(enqueue("--timeout", "1.5", "--", "printf", "%s", "a b"))
    assert list(job) == list(FIELDS)
    empty = {name for name, value in job.items() if value is None}
    assert empty == {"exit_code", "started_at", "finished_at", "next_retry_at", "worker", "host"}
    assert (job["timeout"], job["shell"], job["command"]) == (1.5, False, "printf %s 'a b'")
    assert (job["max_retries"], job["backoff_base"], job["backoff_factor"]) == (3, 2.0, 2.0)


def test_a_failed_job_says_when_it_is_tried_again(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue("--backoff-base", "1000", "exit 4")
        wait_for(queue, job_id, JobState.FAILED)
    job = show(job_id)
    assert kind(job["next_retry_at"]) == Moment
    assert job["next_retry_at"] > job["started_at"]
    assert (job["finished_at"], job["exit_code"], job["reason"]) == (None, 4, "exit code 4")
    shown = run("show", job_id).out
    assert re.search(r"^next retry +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(in 16m\d\ds\)$", shown, re.M)


def test_a_job_is_timed_while_it_runs_and_once_it_has_ended(queue: RedisStorage) -> None:
    job_id = add_one(queue)

    def took() -> str:
        return "".join(re.findall(r"^took +(\S+)", run("show", job_id).out, re.M))

    assert took() == ""
    (lease,) = claim(queue)
    assert took() != ""
    finish(queue, lease, HANDED_BACK)
    assert took() == "", "begun, and waiting again"
    (lease,) = claim(queue)
    finish(queue, lease, RETRY, exit_code=1, duration=7.0, delay=0.0)
    assert took() == ""
    assert claim(queue, 0) == []
    assert (show(job_id)["state"], took()) == ("pending", ""), "its next attempt is due"
    (lease,) = claim(queue)
    finish(queue, lease, COMPLETED, duration=90.0)
    assert took() == "1m30s"


def test_a_running_job_names_its_worker(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue("sleep 100")
        wait_until(lambda: run("status", "--json").object["workers"][0]["job"] == job_id)
        status = run("status", "--json").object
        (worker,) = status["workers"]
        assert {name: kind(value) for name, value in worker.items()} == {
            "name": Text,
            "state": Text,
            "status": Text,
            "job": Text,
            "host": Text,
            "pid": Number,
            "started_at": Moment,
            "heartbeat": Moment,
        }
        assert worker["status"] == "busy"
        assert run("worker", "list", "--json").object == worker
        assert show(job_id)["worker"] == worker["name"]
        assert re.search(r"^Workers: 1, 1 busy$", run("status").out, re.M)
        assert job_id[:8] in run("worker", "list").out
        run("cancel", job_id)
        wait_for(queue, job_id, JobState.CANCELLED)


def test_lists_are_one_object_a_line(queue: RedisStorage) -> None:
    run("enqueue", "--from", "-", stdin=b"echo 1\necho 2\necho 3\n")
    objects = run("list", "--json").objects
    assert [each["command"] for each in objects] == ["echo 3", "echo 2", "echo 1"], "what changed last comes first"
    for each in objects:
        cursor = each.pop("cursor")
        assert show(each["id"]) == each
        assert run("list", "--json", "--after", cursor).objects == objects[objects.index(each) + 1 :]


@pytest.mark.parametrize("words", [["list"], ["dlq", "list"], ["worker", "list"]], ids=" ".join)
def test_an_empty_list_is_no_output(words: list[str]) -> None:
    assert run(*words, "--json").raw == b""


# Pages --------------------------------------------------------------------------------------------


def pages(*words: str) -> list[list[str]]:
    """Ids, page by page: each goes on after the last line of the one before, until one is empty."""
    found: list[list[str]] = []
    after: list[str] = []
    while objects := run("list", "--json", *words, *after).objects:
        found.append([each["id"] for each in objects])
        after = ["--after", objects[-1]["cursor"]]
    return found


def test_a_script_is_told_of_jobs_that_the_first_page_left_out(queue: RedisStorage) -> None:
    run("enqueue", "--from", "-", stdin=b"true\n" * 50)
    assert run("list", "--json").err == "", "50 are all that there are"
    enqueue("true")
    cut = run("list", "--state", "pending", "--json")
    assert len(cut.objects) == 50
    assert cut.err.startswith("More (all with --limit 0): ")
    assert "queuectl list --state pending --json --after " in cut.err
    assert run("list", "--json", "--limit", "50").err == "", "so many were asked for"
    everything = run("list", "--limit", "0", "--json")
    assert (len(everything.objects), everything.err) == (51, "")


def test_a_long_list_is_one_table(named_queue: RedisStorage) -> None:
    lines = [b"true"] * 600 + [b"echo " + b"x" * 30]
    run("enqueue", "--from", "-", stdin=b"\n".join(lines[::-1]))
    shown = run("list", "--limit", "0").lines
    assert len(shown) == 602
    assert [line.startswith("ID ") for line in shown] == [True] + [False] * 601
    at = shown[0].index("COMMAND")
    assert {line[at:] for line in shown[1:]} == {line.decode() for line in lines}


def test_pages_show_every_job_exactly_once(queue: RedisStorage) -> None:
    commands = [f"exit {number % 2}" for number in range(60)]
    ids = run("enqueue", "--max-retries", "0", "--from", "-", stdin="\n".join(commands).encode()).lines
    with pool(queue, count=4):
        wait_until(
            lambda: (
                queue.run(overview()).jobs[JobState.PENDING] + queue.run(overview()).jobs[JobState.PROCESSING] == 0
            )
        )
    ids += run("enqueue", "--from", "-", stdin=b"true\n" * 25).lines
    shown = pages("--limit", "20")
    assert [len(page) for page in shown] == [20, 20, 20, 20, 5]
    assert sorted(chain(*shown)) == sorted(ids)
    assert sorted(chain(*pages("--limit", "20", "--state", "dead"))) == sorted(ids[1:60:2])


def test_pages_of_jobs_that_changed_in_the_same_instant(queue: RedisStorage) -> None:
    ids = run("enqueue", "--from", "-", stdin=b"true\n" * 900).lines
    later = run("enqueue", "--from", "-", stdin=b"true\n" * 150).lines
    run("queue", "clear")  # in chunks, each in one instant
    assert counts() == {"cancelled": 1_050}
    assert len(run("list", "--limit", "0", "--json").lines) == 1_050
    shown = pages("--limit", "170")
    assert [len(page) for page in shown] == [170] * 6 + [30]
    assert sorted(chain(*shown)) == sorted(ids + later)


def test_a_new_job_does_not_disturb_who_turns_pages(queue: RedisStorage) -> None:
    ids = run("enqueue", "--from", "-", stdin=b"true\n" * 10).lines
    first = run("list", "--json", "--limit", "4").objects
    new = enqueue("true")
    rest = run("list", "--json", "--limit", "0", "--after", first[-1]["cursor"]).objects
    seen = [each["id"] for each in first + rest]
    assert new not in seen
    assert sorted(seen) == sorted(ids)


def test_a_terminal_is_told_how_many_more_there_are(queue: RedisStorage) -> None:
    run("enqueue", "--from", "-", stdin=b"true\n" * 5)
    run("cancel", enqueue("true"))
    assert "Showing 3 of 6. All of them: " in on_terminal("list", "--limit", "3", columns=200)
    assert "Showing 3 of 5." in on_terminal("list", "--state", "pending", "--limit", "3", columns=200)
    assert "Showing" not in on_terminal("list", "--limit", "6", columns=200)


def test_a_cursor_goes_with_json_only(queue: RedisStorage) -> None:
    enqueue("true")
    (cursor,) = [each["cursor"] for each in run("list", "--json").objects]
    for words in (["list"], ["dlq", "list"]):
        assert "--after goes with --json" in run(*words, "--after", cursor, code=2).err


def test_states_add_up(queue: RedisStorage) -> None:
    (done,), (dead,), (failed,) = complete(queue), make_dead(queue), fail(queue)
    enqueue("true")

    def ids(*words: str) -> set[str]:
        return {each["id"] for each in run("list", "--json", *words).objects}

    assert ids("--state", "failed,dead") == {failed, dead}
    assert ids("--state", "failed", "--state", "dead") == {failed, dead}
    assert ids("--state", "completed,dead", "--state", "dead") == {done, dead}
    assert "'bogus'" in run("list", "--state", "dead,bogus", code=2).err


def test_only_one_state(queue: RedisStorage) -> None:
    with pool(queue):
        ids = {
            "completed": enqueue("true"),
            "dead": enqueue("--max-retries", "0", "false"),
            "failed": enqueue("--backoff-base", "1000", "false"),
        }
        for state, job_id in ids.items():
            wait_for(queue, job_id, JobState(state))
        ids["processing"] = enqueue("sleep 100")
        wait_for(queue, ids["processing"], JobState.PROCESSING)
        ids["pending"] = enqueue("true")
        ids["cancelled"] = enqueue("true")
        run("cancel", ids["cancelled"])
        assert counts() == dict.fromkeys(ids, 1)
        for state, job_id in ids.items():
            assert [each["id"] for each in run("list", "--state", state, "--json").objects] == [job_id]
            assert re.search(rf"^  {state} +1$", run("status").out, re.M)
        run("cancel", ids["processing"])
        wait_for(queue, ids["pending"], JobState.COMPLETED)


# Ids ----------------------------------------------------------------------------------------------


def test_any_unique_prefix_names_a_job(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    for length in (4, 8, 15, 16):
        assert show(job_id[:length])["id"] == job_id
    assert show(job_id.upper())["id"] == job_id
    assert show(f" {job_id} ")["id"] == job_id


def test_the_table_shows_ids_that_work(queue: RedisStorage) -> None:
    enqueue("echo hello")
    heading, line = run("list").lines
    assert heading.split()[:3] == ["ID", "STATE", "ATTEMPTS"]
    assert heading.endswith("  COMMAND")
    short, state, attempts, *_ = line.split()
    assert (state, attempts) == ("pending", "0/4")
    assert line[heading.index("COMMAND") :] == "echo hello"
    assert show(short)["command"] == "echo hello"


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "echo é ↵echo 日本"), ("latin-1", r"echo é \necho ??"), ("ascii", r"\necho")]
)
def test_a_command_of_several_lines_shows_where_they_end(queue: RedisStorage, encoding: str, shown: str) -> None:
    enqueue("echo é \necho 日本\n")
    answer = run("list", env={"PYTHONIOENCODING": encoding})
    heading, line = answer.raw.decode("utf-8" if encoding == "ascii" else encoding).splitlines()
    assert shown in line[heading.index("COMMAND") :]


def end_each_way(queue: RedisStorage) -> dict[str, str]:
    """Dead jobs with long commands, one for each kind of end; gives what a table has to say of each."""
    ends: dict[str, tuple[str, int | None]] = {
        "timeout": ("timeout", None),
        "memory limit": ("memory", None),
        "process limit": ("max_processes", None),
        "SIGKILL": ("signal:9", 137),
        "exit 3": ("exit:3", 3),
    }
    results = {}
    for result, (cause, code) in ends.items():
        results[add_one(queue, b"./backup.sh --to /mnt/elsewhere --and-then " + b"x" * 80)] = result
        finish(queue, claim(queue)[0], DEAD, exit_code=code, cause=cause)
    results[add_one(queue, b"./kills-workers")] = "worker died"
    for _ in range(MAX_CRASHES):
        finish(queue, claim(queue)[0], CRASHED)
    return results


@pytest.mark.parametrize("words", [["list"], ["list", "--state", "dead"], ["dlq", "list"]], ids=" ".join)
@pytest.mark.parametrize("columns", [40, 80])
def test_a_table_says_why_jobs_are_dead(queue: RedisStorage, words: list[str], columns: int) -> None:
    results = end_each_way(queue)
    if words == ["list"]:
        enqueue("true")
        claim(queue)  # the longest state of all
    heading, *lines = without_colours(on_terminal(*words, columns=columns)).splitlines()
    assert max(map(len, [heading, *lines])) <= columns
    at, end = heading.index("RESULT"), heading.index("COMMAND")
    shown = {line[:8]: line[at:end].strip() for line in lines if "processing" not in line}
    assert len(shown) == len(results)
    for job_id, result in results.items():
        seen = shown[job_id[:8]]
        assert seen == result or (columns == 40 and seen.endswith("…") and len(seen) > 6)
        assert result.startswith(seen.removesuffix("…"))
    assert ("STATE" in heading) == (columns == 80 or words == ["list"])


def test_a_result_is_that_of_the_newest_attempt(queue: RedisStorage) -> None:
    def result() -> str:
        heading, line = run("list").lines
        return line[heading.index("RESULT") : heading.index("COMMAND")].strip()

    job_id = add_one(queue)
    assert result() == ""
    finish(queue, claim(queue)[0], RETRY, exit_code=4, cause="exit:4")
    assert result() == "exit 4"
    (lease,) = claim(queue)
    assert result() == "", "the next one runs"
    finish(queue, lease, CRASHED)
    assert result() == "worker died"
    finish(queue, claim(queue)[0], RETRY, exit_code=None, cause="timeout", delay=1000.0)
    assert result() == "timeout"
    run("cancel", job_id)
    assert result() == "", "its state says it all"


def test_a_result_in_unknown_words_is_cut(queue: RedisStorage) -> None:
    add_one(queue)
    finish(queue, claim(queue)[0], DEAD, exit_code=None, detail="a reason in other words " * 9 + "\x1b[2J")
    assert "  a reason in oth…  true" in run("dlq", "list").out


# Colour -------------------------------------------------------------------------------------------


def test_colour_is_for_terminals_and_says_nothing_alone(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    for words in (["list"], ["status"], ["show", job_id]):
        plain = run(*words).out
        assert "\x1b" not in plain
        assert "pending" in plain
        coloured = on_terminal(*words, columns=200)
        assert "\x1b[" in coloured
        assert "pending" in without_colours(coloured)
        assert "\x1b" not in on_terminal(*words, columns=200, env={"NO_COLOR": "1"})
    assert "\x1b" not in run("show", "ffff", code=3).err
    assert "\x1b[" in on_terminal("show", "ffff", code=3)
    assert "\x1b" not in on_terminal("list", "--json", columns=200)


def test_json_holds_any_command_in_ascii(queue: RedisStorage) -> None:
    job_id = enqueue(b'echo "\xff\x1b[2J\n\xc3\xa9\\')
    raw = run("show", job_id, "--json").raw
    assert raw.isascii()
    assert raw.count(b"\n") == 1
    assert os.fsencode(json.loads(raw)["command"]) == b'echo "\xff\x1b[2J\n\xc3\xa9\\'


def test_versions_and_help() -> None:
    assert re.fullmatch(r"queuectl, version \d+\.\d+\.\d+\S*\n", run("--version").out)
    top = run("--help").out
    assert top == run("-h").out
    assert "Examples:" in top
    named = re.findall(r"^  (\w+)  ", top.partition("Commands:")[2], re.M)
    assert {"enqueue", "list", "worker", "dlq", "logs", "status", "queue", "config", "run", "show"} <= set(named)


def test_status_counts_each_job_once_while_they_change(queue: RedisStorage) -> None:
    run("enqueue", "--from", "-", stdin=b"true\n" * 300)
    with pool(queue, count=4):
        seen = []
        while not seen or seen[-1].get("completed", 0) < 300:
            seen.append(counts())
    assert all(sum(each.values()) == 300 for each in seen)
    assert all(a.get("completed", 0) <= b.get("completed", 0) for a, b in pairwise(seen))


@pytest.mark.parametrize("columns", [40, 80])
def test_an_error_fits_its_terminal_and_no_word_is_broken(columns: int) -> None:
    words = ["enqueue", "--max-retries", "a-value-which-is-not-a-number-at-all", "true"]
    plain = run(*words, code=2).err
    shown = without_colours(on_terminal(*words, columns=columns, code=2))
    assert max(map(len, shown.splitlines())) <= columns
    assert shown.split() == plain.split()
