"""Logs go with their jobs, and nothing else does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from queuectl.logs import layout
from queuectl.logs.retention import LogSweeper, remove
from queuectl.logs.writer import LogWriter

NOW = 1_000_000.0
HOUR = 3600.0


def log(home: Path, job_id: str, fence: int = 1, age: float = 2 * HOUR) -> Path:
    writer = LogWriter(home, job_id, 1, fence)
    writer.write(b"output\n")
    writer.close()
    path = home / "logs" / job_id[:4] / f"{job_id}.1.{fence}.log"
    os.utime(path, (NOW - age, NOW - age))
    return path


class Server:
    """Knows some ids, and what it was asked."""

    def __init__(self, *ids: str) -> None:
        self.ids = set(ids)
        self.asked: list[list[str]] = []

    def exists(self, ids: Sequence[str]) -> list[bool]:
        self.asked.append(list(ids))
        return [each in self.ids for each in ids]


def test_old_logs_of_jobs_that_are_gone_go(tmp_path: Path) -> None:
    kept, gone, gone_too = log(tmp_path, "aa01"), log(tmp_path, "aa02"), log(tmp_path, "aa02", fence=2)
    young, just = log(tmp_path, "bb01", age=10), log(tmp_path, "bb02", age=HOUR)
    future = log(tmp_path, "bb03", age=-10 * HOUR)
    server = Server("aa01")
    sweeper = LogSweeper(tmp_path, server.exists, HOUR)
    assert sweeper.sweep(NOW) == 2
    assert kept.exists()
    assert not gone.exists()
    assert not gone_too.exists()
    assert young.exists()
    assert just.exists()
    assert future.exists()
    assert server.asked == [["aa01", "aa02"]]  # once a job, and not about young files
    assert sweeper.position == ""


def test_segments_of_a_dead_worker_go_too(tmp_path: Path) -> None:
    path = log(tmp_path, "aa01")
    for start in (10, 20):
        segment = path.with_name(f"aa01.1.1.20.{start}.tail")
        segment.write_bytes(b"x")
        os.utime(segment, (0, 0))
    assert LogSweeper(tmp_path, Server().exists, HOUR).sweep(NOW) == 3
    assert not path.exists()


def test_a_pass_is_done_in_bounded_steps(tmp_path: Path) -> None:
    ids = [f"{shard}{number:02x}" for shard in ("0aaa", "7777", "f0f0") for number in range(7)]
    paths = [log(tmp_path, each) for each in ids]
    server = Server(*ids[::2])
    sweeper = LogSweeper(tmp_path, server.exists, HOUR)
    removed = []
    while True:
        removed.append(sweeper.sweep(NOW, budget=4))
        assert sum(map(len, server.asked)) <= 7, "one directory"
        server.asked.clear()
        if not sweeper.position:
            break
    assert removed == [3, 4, 3]
    assert [path.exists() for path in paths] == [each in server.ids for each in ids]
    server.ids.clear()
    assert sweeper.sweep(NOW) == 11  # the next pass begins at the beginning


def test_questions_come_in_batches(tmp_path: Path) -> None:
    for number in range(1, 1202):
        log(tmp_path, "abcd", fence=number) if number > 600 else log(tmp_path, f"abcd{number:04x}")
    server = Server()
    assert LogSweeper(tmp_path, server.exists, HOUR).sweep(NOW, budget=5000) == 1201
    assert [len(batch) for batch in server.asked] == [500, 101]


def test_an_unreachable_server_removes_nothing_and_loses_no_place(tmp_path: Path) -> None:
    first, second = log(tmp_path, "aa01"), log(tmp_path, "bb01")
    server = Server()

    def failing(ids: Sequence[str]) -> list[bool]:
        if "bb01" in ids:
            raise ConnectionError
        return server.exists(ids)

    sweeper = LogSweeper(tmp_path, failing, HOUR)
    assert sweeper.sweep(NOW, budget=1) == 1
    with pytest.raises(ConnectionError):
        sweeper.sweep(NOW, budget=1)
    assert not first.exists()
    assert second.exists()
    assert sweeper.position == "bb01"
    sweeper._exists = server.exists
    assert sweeper.sweep(NOW) == 1


def test_an_answer_of_another_length_removes_nothing(tmp_path: Path) -> None:
    path = log(tmp_path, "aa01")
    with pytest.raises(ValueError, match="shorter"):
        LogSweeper(tmp_path, lambda _: [], HOUR).sweep(NOW)
    assert path.exists()


def test_foreign_files_links_and_wrong_places_are_left_alone(tmp_path: Path) -> None:
    shard = log(tmp_path, "aa01").parent
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "bb01.1.1.log").write_bytes(b"x")
    os.utime(outside / "bb01.1.1.log", (0, 0))
    (shard / "notes.txt").write_text("mine")
    (shard / "00ff.1.1.log").write_text("in the wrong directory")
    (shard / "aa012.1.1.log").symlink_to(outside / "bb01.1.1.log")
    (shard / "aa013.1.1.log").mkdir()
    os.mkfifo(shard / "aa014.1.1.log")
    (tmp_path / "logs" / "bb01").symlink_to(outside)
    (tmp_path / "logs" / "README").write_text("mine")
    for path in [*shard.iterdir(), tmp_path / "logs" / "README"]:
        os.utime(path, (0, 0), follow_symlinks=False)
    before = {path for path in tmp_path.rglob("*") if path.name != "aa01.1.1.log"}
    sweeper = LogSweeper(tmp_path, Server().exists, HOUR)
    assert sweeper.sweep(NOW) == 1
    assert set(tmp_path.rglob("*")) == before
    assert sweeper.sweep(NOW, budget=2) == 0


@pytest.mark.parametrize("home", ["gone", "."])
def test_without_logs_there_is_nothing_to_do(tmp_path: Path, home: str) -> None:
    assert LogSweeper(tmp_path / home, Server().exists, HOUR).sweep(NOW) == 0
    assert remove(tmp_path / home, ["abcd"]) == 0


def test_logs_behind_a_link_are_not_swept(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = log(tmp_path / "other", "aa01")
    (tmp_path / "logs").symlink_to(tmp_path / "other" / "logs")
    assert LogSweeper(tmp_path, Server().exists, HOUR).sweep(NOW) == 0
    assert remove(tmp_path, ["aa01"]) == 0
    assert path.exists()


def test_remove_takes_every_log_of_the_ids_and_no_other(tmp_path: Path) -> None:
    gone = [log(tmp_path, "aa01"), log(tmp_path, "aa01", fence=2, age=0), log(tmp_path, "bb01")]
    segment = gone[0].with_name("aa01.1.3.20.10.tail")
    segment.write_bytes(b"x")
    kept = [log(tmp_path, "aa0123"), log(tmp_path, "aa02"), log(tmp_path, "cc01")]
    assert remove(tmp_path, iter(["aa01", "bb01", "ffff", "aa01"])) == 4
    assert not any(path.exists() for path in [*gone, segment])
    assert all(path.exists() for path in kept)
    assert remove(tmp_path, []) == 0


def test_what_is_no_id_is_passed_over(tmp_path: Path) -> None:
    outside = tmp_path / "outside.1.1.log"
    outside.touch()
    log(tmp_path, "aa01")
    assert remove(tmp_path, ["../outside", "", "*", "aa01", "/", "aa", "aa0\ufffd"]) == 1
    assert outside.exists()


def old_log(home: Path, job_id: str, fence: int = 1) -> Path:
    """A log where former versions wrote it."""
    path = log(home, job_id, fence)
    old = home / "logs" / job_id[:2] / path.name
    old.parent.mkdir(exist_ok=True)
    path.rename(old)
    path.parent.rmdir()
    return old


def test_logs_of_the_former_layout_are_removed_and_swept(tmp_path: Path) -> None:
    removed, swept, kept = old_log(tmp_path, "aa01"), old_log(tmp_path, "aa02"), old_log(tmp_path, "bb01")
    new = log(tmp_path, "aa01", fence=2)
    assert remove(tmp_path, ["aa01"]) == 2
    assert not removed.exists()
    assert not new.exists()
    assert LogSweeper(tmp_path, Server("bb01").exists, HOUR).sweep(NOW) == 1
    assert not swept.exists()
    assert kept.exists()


def test_empty_directories_go(tmp_path: Path) -> None:
    gone, kept = log(tmp_path, "aa01"), log(tmp_path, "bb01")
    sweeper = LogSweeper(tmp_path, Server("bb01").exists, HOUR)
    sweeper.sweep(NOW)
    assert not gone.parent.exists()
    assert kept.exists()


def test_a_log_is_written_though_its_empty_directory_goes_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shard = layout.open_shard
    swept = []

    def then_swept(home: Path, shard: str, create: bool = False) -> int:
        descriptor = open_shard(home, shard, create)
        if not swept:
            LogSweeper(tmp_path, Server().exists, HOUR).sweep(NOW)
            swept.append(shard)
        return descriptor

    monkeypatch.setattr(layout, "open_shard", then_swept)
    assert log(tmp_path, "aa01").read_bytes() == b"output\n"
    assert swept == ["aa01"]


@pytest.fixture
def names_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many names each reading of a directory gave."""
    listdir, counts = os.listdir, []

    def counting(path: int) -> list[str]:
        names = listdir(path)
        counts.append(len(names))
        return names

    monkeypatch.setattr(os, "listdir", counting)
    yield counts
    monkeypatch.setattr(os, "listdir", listdir)


def test_removing_some_of_many_logs_reads_little_more_than_these(tmp_path: Path, names_read: list[int]) -> None:
    ids = [f"{number * 2654435761 % 2**32:08x}" for number in range(2_000)]
    for job_id in ids:
        log(tmp_path, job_id)
    for start in range(0, len(ids), 500):
        names_read.clear()
        assert remove(tmp_path, ids[start : start + 500]) == 500
        assert sum(names_read) < 600


def test_a_pass_reads_each_directory_once(tmp_path: Path, names_read: list[int]) -> None:
    for number in range(900):
        log(tmp_path, f"aa{number % 3:02x}{number:04x}")
    sweeper = LogSweeper(tmp_path, lambda ids: [True] * len(ids), HOUR)
    sweeper.sweep(NOW, budget=50)
    while sweeper.position:
        sweeper.sweep(NOW, budget=50)
    assert names_read == [3, 300, 300, 300]
