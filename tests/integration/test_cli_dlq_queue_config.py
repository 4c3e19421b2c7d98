"""`queuectl dlq`, `queue clear`, `cancel` and `config`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli import counts, enqueue, on_terminal, pool, processes_of, run, show, wait_for
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from waiting import wait_until

DEFAULTS = {
    "max_retries": 3,
    "backoff_base": 2,
    "backoff_factor": 2,
    "timeout": 0,
    "memory": 0,
    "cpu_time": 0,
    "max_output": 0,
    "max_processes": 0,
    "nice": 0,
    "completed_retention": 604_800,
    "dead_retention": 7_776_000,
    "max_finished": 1_000_000,
    "durable_replicas": 0,
}


def dead_jobs(*commands: str) -> list[str]:
    """Enqueue commands that fail, and have them fail."""
    ids = [enqueue("--max-retries", "0", command) for command in commands]
    assert run("worker", "start", "--burst").code == 0
    return ids


# Dead letter queue --------------------------------------------------------------------------------


def test_the_dead_are_listed_the_newest_first_with_their_reasons(queue: RedisStorage) -> None:
    first, second = dead_jobs("echo why >&2; exit 3", "kill -9 $$")
    listed = run("dlq", "list", "--json").objects
    assert {(each["id"], each["reason"]) for each in listed} == {
        (first, "exit code 3"),
        (second, "killed by SIGKILL"),
    }
    assert [each["exit_code"] for each in sorted(listed, key=lambda each: each["id"] != first)] == [3, 137]
    assert [each["id"] for each in listed] == queue.r.lrange("queuectl:dead_letter", 0, -1)
    assert {line.split()[0] for line in run("dlq", "list").lines[1:]} == {first[:8], second[:8]}
    assert len(run("dlq", "list", "--limit", "1", "--json").objects) == 1


def test_one_is_retried_with_all_its_retries(queue: RedisStorage, tmp_path: Path) -> None:
    repaired = tmp_path / "repaired"
    job_id = enqueue("--max-retries", "1", "--backoff-base", "0", f"test -e {repaired}")
    run("worker", "start", "--burst")
    assert show(job_id)["attempts"] == 2
    repaired.touch()
    assert run("dlq", "retry", job_id[:6]).out.startswith(job_id)
    job = show(job_id)
    assert (job["status"], job["attempts"], job["exit_code"], job["finished_at"]) == ("pending", 0, None, None)
    run("worker", "start", "--burst")
    assert counts() == {"completed": 1}
    assert show(job_id)["attempts"] == 1


def test_all_are_retried(queue: RedisStorage) -> None:
    ids = dead_jobs("false", "exit 2", "exit 3")
    assert run("dlq", "retry", "--all").out.startswith("3 jobs ")
    assert counts() == {"pending": 3}
    assert queue.r.llen("queuectl:dead_letter") == 0
    assert sorted(queue.r.lrange("queuectl:jobs", 0, -1)) == sorted(ids)
    assert run("dlq", "retry", "--all", "--json").object == {"retried": 0}


def test_only_the_dead_are_retried(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    error = run("dlq", "retry", job_id, code=1).err
    assert "pending" in error
    assert counts() == {"pending": 1}


def test_clearing_asks_a_person_and_wants_yes_from_a_script(queue: RedisStorage) -> None:
    first, second = dead_jobs("echo 1; exit 1", "echo 2; exit 1")
    logs = Path(queue.settings.home) / "logs"
    assert len(list(logs.rglob("*.log"))) == 2
    refusal = run("dlq", "clear", code=2).err
    assert "2 dead jobs" in refusal
    assert "--yes" in refusal
    assert "2 dead jobs" in on_terminal("dlq", "clear", stdin=b"n\n", code=1)
    assert counts() == {"dead": 2}
    assert "2 dead jobs removed" in on_terminal("dlq", "clear", stdin=b"y\n")
    assert counts() == {}
    for job_id in (first, second):
        run("show", job_id, code=3)
    assert list(logs.rglob("*.log")) == []
    assert queue.r.keys("queuectl:jobs*") == []
    assert queue.r.keys("queuectl:env:*") == []


def test_clearing_an_empty_one_needs_no_answer() -> None:
    assert run("dlq", "clear").out == "0 dead jobs removed\n"
    assert run("dlq", "clear", "--json").object == {"removed": 0}


# Queue --------------------------------------------------------------------------------------------


def test_clearing_the_queue_cancels_what_is_pending_and_nothing_else(queue: RedisStorage) -> None:
    with pool(queue):
        failed = enqueue("--backoff-base", "1000", "false")
        wait_for(queue, failed, JobState.FAILED)
        running = enqueue("sleep 100")
        wait_for(queue, running, JobState.PROCESSING)
        pending = run("enqueue", "--from", "-", stdin=b"true\n" * 1_200).lines
        assert run("queue", "clear").out == "1,200 pending jobs cancelled\n"
        assert queue.r.llen("queuectl:jobs") == 0
        assert counts() == {"cancelled": 1_200, "failed": 1, "processing": 1}
        assert show(pending[0])["reason"] == "cleared"
        run("cancel", running)
        wait_for(queue, running, JobState.CANCELLED)


def test_clearing_the_queue_asks_a_person(queue: RedisStorage) -> None:
    enqueue("true")
    assert "1 pending job" in on_terminal("queue", "clear", stdin=b"n\n", code=1)
    assert counts() == {"pending": 1}
    on_terminal("queue", "clear", "--yes")
    assert counts() == {"cancelled": 1}
    assert run("queue", "clear", "--json").object == {"cancelled": 0}


# Cancel -------------------------------------------------------------------------------------------


def test_a_waiting_job_is_cancelled_and_never_runs(queue: RedisStorage, tmp_path: Path) -> None:
    job_id = enqueue(f"touch {tmp_path}/ran")
    assert run("cancel", job_id[:5]).out == f"{job_id} cancelled\n"
    assert run("worker", "start", "--burst").code == 0
    assert not (tmp_path / "ran").exists()
    job = show(job_id)
    assert (job["status"], job["reason"], job["attempts"]) == ("cancelled", "cancelled", 0)


def test_a_running_job_is_ended_by_its_worker(queue: RedisStorage) -> None:
    with pool(queue, grace=30):
        job_id = enqueue("trap 'echo cleaning up; exit 0' TERM; echo begun; while :; do sleep 0.02; done")
        wait_until_it_said(job_id, "begun\n")
        assert run("cancel", "--json", job_id).object == {"id": job_id, "result": "requested"}
        job = wait_for(queue, job_id, JobState.CANCELLED)
    assert run("logs", job_id).out.endswith("cleaning up\n"), "it could say goodbye"
    assert processes_of(job_id) == []
    assert job.reason == "cancelled"
    assert run("cancel", job_id).code == 0, "to cancel it once more does no harm"


def test_several_are_cancelled_at_once_and_one_that_is_over_is_said(queue: RedisStorage) -> None:
    done = enqueue("true")
    assert run("worker", "start", "--burst").code == 0
    waiting = enqueue("true")
    answer = run("cancel", done, waiting, code=1)
    assert "completed already" in answer.err
    assert counts() == {"completed": 1, "cancelled": 1}


def wait_until_it_said(job_id: str, text: str) -> None:
    wait_until(lambda: run("logs", job_id).out == text)


# Configuration ------------------------------------------------------------------------------------


def test_settings_are_shown_set_and_reset(queue: RedisStorage) -> None:
    assert run("config", "show", "--json").object == DEFAULTS
    said = run("config", "set", "--max-retries", "5", "--backoff-base", "0.5", "--backoff-factor", "3").out
    assert said == "max-retries = 5\nbackoff-base = 0.5s\nbackoff-factor = 3\n"
    assert queue.r.hgetall("queuectl:config") == {"max_retries": "5", "backoff_base": "0.5", "backoff_factor": "3"}
    changed = {"max_retries": 5, "backoff_base": 0.5, "backoff_factor": 3}
    assert run("config", "show", "--json").object == DEFAULTS | changed
    assert re.search(r"^backoff-base +0\.5s$", run("config", "show").out, re.M)
    run("config", "set", "--max-retries", "0")
    assert run("config", "show", "--json").object["max_retries"] == 0
    run("config", "reset")
    assert run("config", "show", "--json").object == DEFAULTS
    assert not queue.r.exists("queuectl:config")


def test_any_option_of_a_job_can_have_a_default(queue: RedisStorage) -> None:
    said = run("config", "set", "--cpu-time", "90m", "memory=1G", "nice=5").out
    assert said == "cpu-time = 1h30m (5400 s)\nmemory = 1G (1073741824 bytes)\nnice = 5\n"
    job = show(enqueue("--cpu-time", "1h", "true"))
    assert (job["limits"]["memory"], job["limits"]["cpu_time"], job["nice"]) == (1 << 30, 3600, 5)
    assert show(enqueue("--memory", "0", "true"))["limits"]["memory"] is None
    assert re.search(r"^memory +1G \(1073741824 bytes\)$", run("config", "show").out, re.M)
    assert re.search(r"^max-output +none$", run("config", "show").out, re.M)
    run("config", "reset")
    assert show(enqueue("true"))["limits"]["memory"] is None


def test_each_setting_says_where_it_comes_from(tmp_path: Path, queuectl_home: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("appendfsync = 'everysec'\n")
    run("config", "set", "--timeout", "9")
    answer = run(
        "--namespace", "queuectl", "config", "show", "--origin", "--json", env={"QUEUECTL_CONFIG": str(file)}
    ).object
    assert answer["timeout"] == {"value": 9, "origin": "server"}
    assert answer["max_retries"] == {"value": 3, "origin": "default"}
    assert answer["home"] == {"value": str(queuectl_home), "origin": "environment QUEUECTL_HOME"}
    assert answer["appendfsync"] == {"value": "everysec", "origin": f"file {file}"}
    assert answer["namespace"] == {"value": "queuectl", "origin": "option --namespace"}
    assert answer["redis_url"]["origin"] == "default"


def test_a_setting_that_something_else_spoiled_is_ignored(queue: RedisStorage) -> None:
    queue.r.hset("queuectl:config", mapping={"max_retries": "many", "backoff_base": "3"})
    assert run("config", "show", "--json").object == DEFAULTS | {"backoff_base": 3}
    job = show(enqueue("true"))
    assert (job["max_retries"], job["backoff_base"]) == (3, 3.0)


@pytest.mark.parametrize("option", ["--completed-retention", "--dead-retention", "--max-finished"])
def test_what_is_kept_has_bounds_too(option: str) -> None:
    for value in ("-1", "nan", "x"):
        assert "Error" in run("config", "set", option, value, code=2).err


@pytest.mark.parametrize(
    ("url", "shown", "code"),
    [
        ("redis://:wrong@192.0.2.1:1/0?bogus=1", "(can't be read)", 78),
        ("redis://192.0.2.1:1/0", "redis://192.0.2.1:1/0", 78),  # it has no password
    ],
)
def test_the_origin_is_shown_when_the_server_can_not_be_used(url: str, shown: str, code: int) -> None:
    answer = run("config", "show", "--origin", "--json", env={"QUEUECTL_REDIS_URL": url}, code=code)
    assert answer.object["redis_url"] == {"value": shown, "origin": "environment QUEUECTL_REDIS_URL"}
    assert answer.err.startswith("Error: ")
    run("config", "show", env={"QUEUECTL_REDIS_URL": url}, code=code)
