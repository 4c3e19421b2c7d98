"""A job's processes that belong to another user can't be killed: the job has not ended while one of them lives.

The workers are an unprivileged user's. Their jobs become root through a setuid program.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import children_of, is_alive, kill_at_once, processes_of
from person import BECOME, Person, a_person, is_possible
from waiting import wait_until

pytestmark = pytest.mark.skipif(not is_possible(), reason="only root can make a setuid program for another user")

STUBBORN = f"""{BECOME} sh -c 'trap "" TERM; touch up; until [ -e gate ]; do sleep 0.02; done'"""
"""It becomes root, ignores SIGTERM, and exits once there is a gate."""


@pytest.fixture
def person() -> Iterator[Person]:
    with a_person() as one:
        yield one


def test_no_attempt_starts_while_a_process_of_the_last_one_lives(person: Person) -> None:
    job_id = person.enqueue(
        *("--timeout", "0.2", "--max-retries", "3", "--backoff-base", "0"), f"echo >>starts; {STUBBORN} & wait"
    )
    process = person.start()
    wait_until(lambda: person.is_unkillable(job_id))
    seen = person.show(job_id)
    assert seen["state"] == "processing"
    assert "can't be killed; the job runs until it exits" in seen["reason"]
    assert "can't be killed" in person.run("show", job_id).out
    assert "can't be killed" in person.run("status").out
    assert [worker["state"] for worker in person.workers()] == ["stuck"]
    wait_until(lambda: "can't be killed" in person.run("logs", job_id).out)
    assert job_id[:8] in person.said()
    assert "can't kill it" in person.run("cancel", job_id).out
    assert (person.folder / "starts").read_text() == "\n"
    person.open_gate()
    person.wait_for(job_id, "cancelled")
    assert (person.folder / "starts").read_text() == "\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_a_cancelled_job_says_that_it_could_not_be_killed(person: Person) -> None:
    job_id = person.enqueue(f"{STUBBORN}; echo end")
    process = person.start()
    wait_until((person.folder / "up").exists)
    person.run("cancel", job_id)
    wait_until(lambda: person.is_unkillable(job_id))
    person.open_gate()
    cancelled = person.wait_for(job_id, "cancelled")
    assert cancelled["cause"] == "cancelled"
    assert "could not be killed" in cancelled["reason"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_a_command_that_can_not_be_killed_gives_its_own_result_after_a_second_signal(person: Person) -> None:
    job_id = person.enqueue(
        "--", *BECOME.split(), "sh", "-c", STUBBORN.partition("-c '")[2].rstrip("'") + "; echo end"
    )
    process = person.start()
    wait_until((person.folder / "up").exists)
    for word in ("finishing", "does not run twice"):
        process.send_signal(signal.SIGTERM)
        wait_until(lambda word=word: word in person.said())  # type: ignore[misc]
    wait_until(lambda: person.is_unkillable(job_id))
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: person.said().count("does not run twice") > 1)
    assert process.poll() is None
    person.open_gate()
    assert process.wait(20) == 0
    completed = person.show(job_id)
    assert (completed["state"], completed["attempts"], completed["crashes"]) == ("completed", 1, 0)
    assert person.run("logs", job_id).out.splitlines()[-1] == "end"


def test_what_left_the_session_delays_the_next_attempt_too(person: Person) -> None:
    job_id = person.enqueue(
        *("--max-retries", "1", "--backoff-base", "0"),
        f"echo >>starts; [ -e gate ] || {{ setsid {STUBBORN} & until [ -e up ]; do sleep 0.02; done; exit 7; }}",
    )
    process = person.start()
    wait_until(lambda: person.is_unkillable(job_id))
    person.open_gate()
    person.wait_for(job_id, "completed")
    assert (person.folder / "starts").read_text() == "\n\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def stay(person: Person) -> tuple[subprocess.Popen[bytes], str, list[int]]:
    """Start a pool with two workers, a job whose processes can't be killed, and a job that can be run again."""
    stubborn = person.enqueue("--timeout", "0.5", f"echo >>starts; {STUBBORN} & wait")
    process = person.start("--count", "2")
    wait_until(lambda: person.is_unkillable(stubborn))
    return process, stubborn, [pid for pid in children_of(process.pid) if name_of(pid) == "queuectl-runner"]


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def starts(person: Person) -> int:
    return len((person.folder / "starts").read_text().splitlines())


def test_a_pool_holds_the_job_of_a_runner_that_was_killed(person: Person) -> None:
    process, job_id, runners = stay(person)
    other = person.enqueue("echo >>others; until [ -e gate ]; do sleep 0.02; done")
    wait_until((person.folder / "others").exists)
    for pid in runners:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "of a runner that died can't be killed" in person.said())
    wait_until(lambda: len((person.folder / "others").read_text().splitlines()) == 2)
    wait_until(lambda: person.is_unkillable(job_id))
    assert person.show(job_id)["state"] == "processing"
    told = person.said().count("of a runner that died can't be killed")  # once for each runner, or for both
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: person.said().count("of a runner that died can't be killed") > told)
    assert starts(person) == 1
    person.open_gate()
    assert process.wait(20) == 0
    assert person.show(other)["state"] == "completed"
    again = person.show(job_id)
    assert (again["state"], again["crashes"], starts(person)) == ("pending", 1, 1)


def test_the_next_pool_holds_the_job_of_a_pool_that_was_killed(person: Person) -> None:
    process, job_id, _ = stay(person)
    kill_at_once([process.pid, *children_of(process.pid)])
    process.wait()
    following = person.start()
    other = person.enqueue("true")
    person.wait_for(other, "completed")
    assert person.is_unkillable(job_id)
    assert starts(person) == 1
    person.open_gate()
    wait_until(lambda: not processes_of(job_id))
    person.run("run", "true")  # cleans up after killed pools
    person.wait_for(job_id, "completed")
    following.send_signal(signal.SIGTERM)
    assert following.wait(20) == 0


def test_a_runner_without_its_pool_stays_with_the_job(person: Person) -> None:
    process, job_id, runners = stay(person)
    process.kill()
    process.wait()
    wait_until(lambda: "is still running" in person.said())
    following = person.start()
    person.wait_for(person.enqueue("true"), "completed")
    assert person.is_unkillable(job_id)
    assert starts(person) == 1
    person.open_gate()
    wait_until(lambda: not any(is_alive(pid) for pid in runners))
    assert person.show(job_id)["cause"] in ("timeout", "")
    following.send_signal(signal.SIGTERM)
    assert following.wait(20) == 0
