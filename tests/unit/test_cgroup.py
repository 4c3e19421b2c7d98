"""What we read from a control group, and which are ours to divide; here from plain files with the kernel's text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from queuectl.model.job import Job, Lease
from queuectl.model.lifecycle import JobState
from queuectl.options import JobOptions
from queuectl.worker.attempt import cgroup
from queuectl.worker.attempt.cgroup import JobGroup

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/ns/cgroup"), reason="there are none but on Linux")


@pytest.fixture
def plain_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_write", lambda path, text: Path(path).write_text(text))


def group_with(base: Path, files: dict[str, str], **limits: Any) -> JobGroup:
    lease = Lease(Job("ab12", JobState.PROCESSING, b"", options=JobOptions(**limits)), 1)
    group = JobGroup(str(base), "runner", lease)
    for name, text in files.items():
        (base / "queuectl-job-runner.ab12.1" / name).write_text(text)
    return group


@pytest.mark.usefixtures("plain_files")
@pytest.mark.parametrize(
    ("local", "kills", "breach"),
    [("max 3\noom 1\noom_kill 0", 1, "memory"), ("max 3\noom 0\noom_kill 1", 1, None), ("oom 1", 0, None)],
    ids=["its own limit", "the host's", "nobody was killed"],
)
def test_who_was_killed_for_another_group_kept_its_limit(
    tmp_path: Path, local: str, kills: int, breach: str | None
) -> None:
    files = {"memory.events.local": local, "memory.events": f"low 0\noom 1\noom_kill {kills}\n"}
    assert group_with(tmp_path, files, memory=1 << 20).breach() == breach


@pytest.mark.usefixtures("plain_files")
@pytest.mark.parametrize(
    ("files", "breach"),
    [
        ({"pids.events.local": "max 1", "pids.events": "max 1"}, "max_processes"),
        ({"pids.events.local": "max 0", "pids.events": "max 1"}, None),
        ({"pids.events": "max 1", "pids.peak": "10"}, "max_processes"),
        ({"pids.events": "max 1", "pids.peak": "9"}, None),
        ({"pids.events": "max 1"}, "max_processes"),
    ],
    ids=["its own", "one beneath it", "its own, Linux 6.1", "one above it, Linux 6.1", "not known, Linux 5.14"],
)
def test_who_was_refused_a_process_by_another_group_kept_its_limit(
    tmp_path: Path, files: dict[str, str], breach: str | None
) -> None:
    assert group_with(tmp_path, files, max_processes=10).breach() == breach


@pytest.mark.usefixtures("plain_files")
@pytest.mark.parametrize("limits", [{"memory": 1}, {"max_processes": 1}, {"cpu_time": 1}])
def test_a_limit_that_is_not_kept_any_more_is_said(tmp_path: Path, limits: dict[str, Any]) -> None:
    with pytest.raises(FileNotFoundError):
        group_with(tmp_path, {}, **limits).breach()


@pytest.mark.parametrize("uid", [0, 1000])
def test_where_systemd_runs_only_what_it_gave_away_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int
) -> None:
    for folder in (tmp_path, tmp_path / "app.scope"):
        folder.mkdir(exist_ok=True)
        for name in ("cgroup.procs", "cgroup.subtree_control"):
            (folder / name).touch()
    group, marks = str(tmp_path / "app.scope"), dict[str, bytes]()
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(cgroup, "_attribute", lambda _, name: marks.get(name, b""))
    monkeypatch.setattr(cgroup, "_SYSTEMD", str(tmp_path))
    assert not cgroup._is_given(group)
    marks["user.delegate"] = b"1"
    assert cgroup._is_given(group)
    marks.clear()
    monkeypatch.setattr(cgroup, "_SYSTEMD", "/nowhere")
    assert cgroup._is_given(group) == (uid != 0), "whoever gave the folder to a user has meant it"


def test_the_root_of_the_hierarchy_is_ours_in_a_container_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (tmp_path / name).touch()
    monkeypatch.setattr(cgroup, "_SYSTEMD", "/nowhere")
    own = os.stat("/proc/self/ns/cgroup").st_ino
    monkeypatch.setattr(cgroup, "_HOST_NAMESPACE", own)
    assert not cgroup._is_given(str(tmp_path))
    monkeypatch.setattr(cgroup, "_HOST_NAMESPACE", own + 1)
    assert cgroup._is_given(str(tmp_path))


def test_a_group_that_another_pool_took_away_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks like what an ended pool has left until somebody stands in it."""
    pool = tmp_path / "queuectl-pool-1"
    entered: list[str] = []

    def write(path: str, text: str) -> None:
        entered.append(path)
        if len(entered) == 1:
            pool.rmdir()
            raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(cgroup, "_write", write)
    cgroup._enter(str(pool))
    assert pool.is_dir()
    assert entered == [str(pool / "cgroup.procs")] * 2


def test_groups_that_cant_be_listed_end_nobody_who_looks() -> None:
    cgroup.end_groups_of(["runner"], "/nowhere")
