"""The embedded server's data damaged or incomplete, as a person at the command line meets it."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

import cli
from queuectl.server import journal, launch, wire
from queuectl.server.embedded import EmbeddedServer
from waiting import wait_until


def run(*words: str, **options: Any) -> cli.Answer:
    """Run `queuectl WORDS`, whatever its exit code."""
    return cli.run(*words, code=None, **options)


@pytest.fixture
def folder(queuectl_home: Path) -> Path:
    """The append-only file of a queue with twenty jobs, whose server was stopped."""
    run("enqueue", "--from", "-", stdin="\n".join(f"echo {n}" for n in range(10)).encode())
    for number in range(10, 20):
        cli.enqueue(f"echo {number}")
    assert EmbeddedServer(str(queuectl_home)).stop()
    return queuectl_home / "server" / journal.FOLDER


def increment(folder: Path) -> Path:
    (found,) = folder.glob("*.incr.aof")
    return found


def pending() -> int:
    return json.loads(run("status", "--json").out)["jobs"]["pending"]


def test_a_file_cut_short_is_told_until_it_is_acknowledged(folder: Path) -> None:
    before = increment(folder).stat().st_size
    os.truncate(increment(folder), before - 5)
    answer = run("list")
    assert answer.code == 0
    cut = before - increment(folder).stat().st_size
    assert f"{cut:,} bytes were cut off" in answer.err
    assert "server check --acknowledge" in answer.err

    for _ in range(2):
        answer = run("status")
        assert not answer.err
        assert f"{cut:,} bytes were cut off" in answer.out
    (loss,) = json.loads(run("status", "--json").out)["losses"]
    assert (loss["file"], loss["lost_bytes"]) == (increment(folder).name, cut)

    answer = run("server", "check", "--acknowledge")
    assert answer.code == 0
    assert "Acknowledged" in answer.out
    assert "cut off" not in run("status").out
    assert json.loads(run("status", "--json").out)["losses"] == []


def test_a_loss_is_told_even_if_its_starter_was_killed(folder: Path, queuectl_home: Path) -> None:
    os.truncate(increment(folder), increment(folder).stat().st_size - 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "record", interrupt)
        with pytest.raises(KeyboardInterrupt):
            EmbeddedServer(str(queuectl_home)).ensure_running()
    wait_until(lambda: wire.probe(str(queuectl_home / "server" / "valkey.sock")) is wire.Answer.READY)
    assert "bytes were cut off" in run("status").out


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_file_cut_between_two_writes_is_told(folder: Path) -> None:
    """The server itself can't tell: every write that is left is whole."""
    os.truncate(increment(folder), 0)
    assert "bytes were cut off" in run("list").err
    assert pending() == 0


def test_data_that_are_gone_are_told(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    assert "All data of the embedded server were gone" in run("list").err
    assert "All data of the embedded server were gone" in run("status").out


def test_an_empty_file_is_none_that_lost_something(queuectl_home: Path) -> None:
    server = EmbeddedServer(str(queuectl_home))
    for _ in range(2):
        assert run("status").err == ""
        server.stop()


def test_a_first_start_that_was_interrupted_is_no_damage(queuectl_home: Path) -> None:
    """The server writes its manifest last."""
    server = EmbeddedServer(str(queuectl_home))
    server.ensure_running()
    server.stop()
    (queuectl_home / "server" / "sizes.json").unlink()
    (queuectl_home / "server" / journal.FOLDER / journal.MANIFEST).unlink()
    answer = run("status")
    assert (answer.code, answer.err) == (0, "")


@pytest.mark.parametrize(
    "lost",
    [
        "manifest",
        "incr.aof",
        "base.rdb",
        "empty base",
        "bad manifest",
        "short manifest",
        "zero manifest",
        "vertical manifest",
        "cut manifest",
    ],
    ids=lambda lost: lost.replace(" ", "-"),
)
def test_no_server_is_started_over_incomplete_data(folder: Path, queuectl_home: Path, lost: str) -> None:
    (path,) = folder.glob(f"*{lost.rpartition(' ')[2]}*")
    if lost == "empty base":
        os.truncate(path, 0)
    elif lost == "bad manifest":
        path.write_text("garbage\n")
    elif lost == "short manifest":
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    elif lost == "cut manifest":
        path.write_bytes(path.read_bytes()[:-1])
    elif lost == "zero manifest":
        path.write_text(path.read_text().replace("seq 1", "seq 0"))
    elif lost == "vertical manifest":
        path.write_text(path.read_text().replace("\n", "\v", 1))
    else:
        path.unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    answer = run("enqueue", "true")
    assert answer.code == 69
    assert "is not started, because its data are incomplete" in answer.err
    assert "queuectl server repair" in answer.err
    assert "queuectl server restore" in answer.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not launch.is_locked(f"{queuectl_home}/server/valkey.pid")


def test_a_repair_keeps_a_copy_and_everything_before_the_damage(folder: Path) -> None:
    whole = increment(folder).read_bytes()
    increment(folder).write_bytes(whole + bytes(4096))
    answer = run("enqueue", "true")
    assert answer.code == 69
    assert "Bad file format" in answer.err
    assert "valkey-check-aof" not in answer.err
    assert "monotonic" not in answer.err

    answer = run("server", "check")
    assert answer.code == 1
    assert f"zeros at byte {len(whole):,}" in answer.out
    assert "4,096" in answer.err
    answer = run("server", "repair", "--json")
    assert answer.code == 0
    done = json.loads(answer.out)
    assert done["lost_bytes"] == 4096
    copy = Path(done["copy"])
    assert increment(copy).read_bytes() == whole + bytes(4096)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert increment(folder).read_bytes() == whole
    answer = run("list")
    assert (answer.code, answer.err) == (0, "")
    assert pending() == 20


def test_a_repair_finds_what_only_the_server_can_tell(folder: Path) -> None:
    content = increment(folder).read_bytes()
    at = content.rindex(b"HSET")
    increment(folder).write_bytes(content[:at] + b"HSUT" + content[at + 4 :])
    assert "unknown command" in run("server", "check").out
    assert run("server", "repair").code == 0
    assert pending() == 19
    assert run("fsck").code == 0


def test_a_lost_manifest_is_written_again(folder: Path) -> None:
    (folder / journal.MANIFEST).unlink()
    assert run("server", "repair").code == 0
    assert pending() == 20


def test_what_no_repair_can_help_says_how_to_go_on(folder: Path) -> None:
    (base,) = folder.glob("*base.rdb")
    base.write_bytes(base.read_bytes()[:-1] + b"\0")
    answer = run("enqueue", "true")
    assert answer.code == 69
    assert "checksum" in answer.err
    assert answer.err.count("\n  ") >= 1, "the server's lines are lines of their own"
    answer = run("server", "repair")
    assert answer.code == 1
    assert "server restore FILE --replace" in answer.err
    (way,) = re.findall(r"mv .*", answer.err)
    cli.shell(way)
    assert run("enqueue", "true").code == 0


def test_a_backup_of_a_running_server_brings_everything_back(folder: Path, tmp_path: Path) -> None:
    cli.enqueue("echo more")
    target = tmp_path / "queue.tar"
    assert run("server", "backup", str(target)).code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert run("server", "backup", str(target)).code == 2
    run("queue", "clear", "--yes")
    cli.enqueue("echo later")

    answer = run("server", "restore", str(target))
    assert answer.code == 1
    assert "is running" in answer.err
    assert run("server", "stop").code == 0
    answer = run("server", "restore", str(target))
    assert answer.code == 1
    assert "--replace" in answer.err
    answer = run("server", "restore", str(target), "--replace", "--json")
    assert answer.code == 0
    kept = json.loads(answer.out)["copy"]
    assert list(Path(kept).glob("*incr.aof"))
    assert not run("status").err
    assert pending() == 21


def test_a_backup_while_the_file_is_rewritten_is_whole(folder: Path, tmp_path: Path, queuectl_home: Path) -> None:
    cli.enqueue("true")
    socket = str(queuectl_home / "server" / "valkey.sock")
    for number in range(5):
        wire.ask(socket, b"BGREWRITEAOF", 5)
        assert run("server", "backup", str(tmp_path / f"{number}.tar")).code == 0
    run("server", "stop")
    for number in range(5):
        assert run("server", "restore", str(tmp_path / f"{number}.tar"), "--replace").code == 0
        assert pending() == 21
        run("server", "stop")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 10240], ids=["empty", "garbage", "zeros"])
def test_a_file_that_is_no_backup_changes_nothing(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tar").write_bytes(content)
    answer = run("server", "restore", str(tmp_path / "bad.tar"), "--replace")
    assert answer.code == 2
    assert "Nothing was changed" in answer.err
    assert pending() == 20


@pytest.mark.parametrize("name", ["../escape", "/tmp/escape", "appendonly.aof.1.incr.aof.d", "link"])
def test_a_backup_writes_nothing_outside(folder: Path, tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        entry = tarfile.TarInfo(name if name != "link" else "appendonly.aof.1.incr.aof")
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
        archive.addfile(entry)
    before = sorted(folder.parent.rglob("*"))
    assert run("server", "restore", str(tmp_path / "bad.tar"), "--replace").code == 2
    assert sorted(folder.parent.rglob("*")) == before


def test_a_cut_backup_is_refused(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "queue.tar"
    assert run("server", "backup", str(target)).code == 0
    os.truncate(target, target.stat().st_size // 2)
    answer = run("server", "restore", str(target), "--replace")
    assert answer.code == 2
    assert pending() == 20


def test_a_check_leaves_nothing_behind_not_even_of_one_that_was_killed(folder: Path) -> None:
    old, recent = folder.parent / "check-old", folder.parent / "check-recent"
    for path in (old, recent):
        path.mkdir()
    os.utime(old, (0, 0))
    before = set(folder.parent.iterdir())
    assert run("server", "check").code == 0
    assert set(folder.parent.iterdir()) == before - {old}


def test_a_repair_and_a_restore_wait_for_no_running_server(folder: Path, queuectl_home: Path) -> None:
    cli.enqueue("true")
    answer = run("server", "repair")
    assert answer.code == 1
    assert "queuectl server stop" in answer.err
    pid = EmbeddedServer(str(queuectl_home)).status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not launch.is_locked(f"{queuectl_home}/server/valkey.pid"))
    assert run("server", "repair").code == 0
