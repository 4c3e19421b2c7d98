"""Jobs with limits have a control group each, if the tests run in one that can be divided.

That is the root of a cgroup namespace (`unshare --cgroup`) without systemd, or a group that systemd delegated,
with no other process in it; otherwise these tests are skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import children_of, enqueue, is_alive, kill_at_once, pool, run, runners_of, wait_for
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage
from waiting import wait_until

COMPLETED = JobState.COMPLETED


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def group_of(pid: int | str) -> str:
    """The control group of a process, as a folder."""
    own = next(line for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::"))
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    point = next(line.split()[4] for line in mounts if " - cgroup2 " in line)
    return point + own.removeprefix("0::").rstrip("/")


def hidden_job() -> tuple[str, list[int], str]:
    """A job with a limit and processes that nothing but its group tells of; gives its id, their pids, the group."""
    hide = "env -i setsid sh -c 'echo $$ >> pids; exec sleep 1000'"
    job_id = enqueue("--max-processes", "30", f"[ $QUEUECTL_FENCE = 1 ] || exit 0; {hide} & ({hide} &); sleep 1000")
    wait_until(lambda: Path("pids").exists() and len(Path("pids").read_text().split()) == 2)
    pids = [int(pid) for pid in Path("pids").read_text().split()]
    group = group_of(pids[0])
    if "/queuectl-job-" not in group:
        pytest.skip("these tests don't stand in a control group that they may divide")
    return job_id, pids, group


def gone(pids: list[int], group: str) -> bool:
    return not any(map(is_alive, pids)) and not Path(group).exists()


def test_a_job_and_its_pool_stand_in_groups_of_their_own(queue: RedisStorage) -> None:
    with pool(queue) as process:
        job_id, pids, group = hidden_job()
        for pid in [process.pid, *children_of(process.pid)]:
            assert Path(group_of(pid)).name == f"queuectl-pool-{process.pid}"
        assert Path(group, "pids.max").read_text() == "30\n"
        assert {group_of(pid) for pid in pids} == {group}
        run("cancel", job_id)
        wait_until(lambda: gone(pids, group))
        unlimited = enqueue("cat /proc/self/cgroup")
        wait_for(queue, unlimited, COMPLETED)
    assert "queuectl-pool-" in run("logs", unlimited).out


def test_the_guardian_ends_what_hides_its_environment(queue: RedisStorage) -> None:
    with pool(queue) as process:
        _, pids, group = hidden_job()
        kill_at_once([process.pid, *runners_of(process)])
        wait_until(lambda: gone(pids, group))


def test_the_pool_ends_what_a_runner_left(queue: RedisStorage) -> None:
    with pool(queue) as process:
        _, pids, group = hidden_job()
        kill_at_once(runners_of(process))
        wait_until(lambda: gone(pids, group))


def test_the_next_pool_ends_what_hides_its_environment(queue: RedisStorage) -> None:
    with pool(queue) as process:
        _, pids, group = hidden_job()
        kill_at_once([*children_of(process.pid), process.pid])
        process.wait()
        assert all(map(is_alive, pids)), "nobody was there to end them"
    with pool(queue):
        wait_until(lambda: gone(pids, group))
