"""What is said when workers can't be started because the machine, or a limit, leaves no room for them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cli import Answer, counts, enqueue, environment, finish, program, run
from person import a_person, is_possible
from queuectl.storage import RedisStorage


def limited(limit: str, *words: str) -> Answer:
    process = subprocess.Popen(
        ["prlimit", limit, program(), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment(),
    )
    answer = finish(process)
    assert "Traceback" not in answer.err
    return answer


@pytest.mark.skipif(not is_possible(), reason="no limit of processes holds for root")
def test_no_process_for_a_temporary_worker() -> None:
    with a_person() as person:
        person.enqueue("true")  # starts the server
        answer = person.run("run", "true", code=1, within=["prlimit", "--nproc=1"])
        before, job, error, hint = answer.err.splitlines()
        assert before.startswith("No worker is running")
        assert "stays in the queue" in job
        assert error == "Error: The workers could not be started: no more processes are allowed."
        assert "ulimit -u" in hint
        assert person.run("status", "--json").object["jobs"]["pending"] == 2


def test_no_descriptors_for_a_runner(queue: RedisStorage) -> None:
    enqueue("true")
    answer = limited("--nofile=12", "worker", "start")
    assert answer.code == 1
    assert "a runner can't work: no more open files are allowed" in answer.err
    answer = limited("--nofile=12", "worker", "start", "--detach")
    first = "a runner can't work: no more open files are allowed"
    last = "runners die as soon as they are started; giving up"
    assert answer.err == f"Error: The workers could not be started: {first}; {last}\n"
    assert counts() == {"pending": 1}


def test_no_room_for_the_record_of_a_pool(queue: RedisStorage) -> None:
    enqueue("true")
    answer = limited("--fsize=0", "worker", "start")
    assert answer.code == 1
    assert answer.err.startswith("Error: The workers could not be started: no larger files are allowed")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")
def test_a_full_disk(queue: RedisStorage, queuectl_home: Path, tmp_path: Path) -> None:
    enqueue("true")
    pools = queuectl_home / "pools"
    pools.mkdir(0o700)
    options = "size=4k,mode=700"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(pools)], check=False).returncode:
        pytest.skip("this machine does not allow it")
    try:
        with (pools / "filler").open("wb") as filler, pytest.raises(OSError, match="space"):
            filler.write(bytes(1 << 16))
        answer = run("worker", "start", code=1)
    finally:
        subprocess.run(["umount", str(pools)], check=True)
    error, hint = answer.err.splitlines()
    assert error == "Error: The workers could not be started: the disk of the state folder is full."
    assert "df -h" in hint
