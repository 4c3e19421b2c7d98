"""A canary in the environment, in a URL and in the configuration file never shows where it must not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import inprocess
from cli import LONGEST_SECONDS, enqueue, processes_with, run, spawn, wait_for
from queuectl.model.lifecycle import JobState
from queuectl.server import binary
from queuectl.server.embedded import EmbeddedServer
from queuectl.settings import load
from queuectl.storage import RedisStorage
from queuectl.storage.url import parse
from servers import running
from waiting import wait_until

CANARY = "c4nary-s3cr3t-w0rd"

COMMANDS = (
    ("status",), ("list",), ("worker", "list"), ("dlq", "list"), ("config", "show"), ("config", "show", "--origin"),
    ("server", "status"), ("server", "path"), ("fsck",), ("enqueue", "true"), ("dlq", "retry", "--all"),
    ("queue", "clear", "--yes"), ("worker", "stop"), ("worker", "resume"), ("dlq", "clear", "--yes"),
    ("show", "abcd"), ("cancel", "abcd"), ("logs", "abcd"), ("config", "reset"),
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_variable_of_the_shell_goes_nowhere(queue: RedisStorage, queuectl_home: Path) -> None:
    env = {"API_TOKEN": CANARY, "CANARY_PATH": CANARY, "VIRTUAL_ENV_": CANARY}
    done = enqueue("true", env=env)
    failing = enqueue("--max-retries", "0", "exit 3", env=env)
    broken = enqueue("--max-retries", "0", "--", "/nowhere/program", env=env)
    said = [run("worker", "start", "--burst", "--verbose", env=env)]
    said.append(run("worker", "start", "--detach", env=env))
    shown = []
    for words in (*COMMANDS[:10], ("show", done), ("show", failing), ("logs", broken)):
        shown += [inprocess.call(*words, *more, env=env).both for more in ((), ("--json",))]
    assert not any(CANARY in text for text in shown)
    held = enqueue("sleep 100")
    wait_for(queue, held, JobState.PROCESSING)
    mark = b"QUEUECTL_HOME=" + os.fsencode(queuectl_home)
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_with(mark)]
    assert lines
    said += [run("cancel", held, env=env), run("worker", "stop", "--wait", env=env)]
    assert not any(CANARY in answer.out + answer.err for answer in said)
    assert not any(CANARY.encode() in line for line in lines)

    server = EmbeddedServer(str(queuectl_home)).status()
    for name in ("environ", "cmdline"):
        assert CANARY.encode() not in Path(f"/proc/{server.pid}/{name}").read_bytes()
    for key in queue.r.scan_iter("*"):
        (dump,) = queue.exchange([("DUMP", key)])
        assert CANARY.encode() not in dump
    nowhere_in(queuectl_home)


def nowhere_in(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


def test_the_servers_configuration_is_its_owners_alone(queue: RedisStorage, queuectl_home: Path) -> None:
    enqueue("true")
    for path in (queuectl_home / "server").rglob("*"):
        assert path.lstat().st_mode & 0o077 == 0, path


@contextmanager
def guarded(folder: Path, *options: str) -> Iterator[str]:
    """A server that wants the canary; gives its socket."""
    acl = folder / "users.acl"
    acl.write_text(f"user default on >{CANARY} ~* &* +@all\n")
    with running(binary.find().path, "--aclfile", str(acl), *options) as server:
        yield server.socket


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("source", ["variable", "file", "option"])
def test_a_password_is_in_no_output(tmp_path: Path, source: str) -> None:
    file = tmp_path / "config.toml"

    def say(url: str, *words: str) -> inprocess.Said:
        file.write_text(f"redis_url = {url!r}" if source == "file" else "")
        env = {"QUEUECTL_CONFIG": str(file), "QUEUECTL_REDIS_URL": url if source == "variable" else ""}
        return inprocess.call(*(("--redis-url", url) if source == "option" else ()), *words, env=env)

    with guarded(tmp_path) as path:
        good = f"unix://:{CANARY}@{path}"
        bad = (
            f"unix://:{CANARY}x@{path}", f"unix://nobody:{CANARY}@{path}", f"unix://:{CANARY}@{path}?db=99",
            f"redis://:{CANARY}@127.0.0.1:1/0", f"rediss://:{CANARY}@127.0.0.1:1/0", f"redis://:{CANARY}@host:x/0",
            f"redis://:{CANARY}@[::1/0", f"http://:{CANARY}@host/0", f"redis://:{CANARY}@host/0?bogus=1",
            f"redis://:{CANARY}#@host/0", f"redis://:{CANARY}@x@host/0", f"redis://:{CANARY}/@host/0",
            f"redis://:{CANARY}%00@host/0", f"redis://:{CANARY}@host/a", f"redis://{CANARY}@host/0",
            f"rediss://:{CANARY}@host?ssl_cert_reqs=maybe", f"rediss://:{CANARY}@host?ssl_ca_certs=/nowhere",
            f"unix://:{CANARY}@/nowhere",
        )  # fmt: skip
        for words in COMMANDS:
            for more in ((), ("--json",)):
                assert CANARY not in say(good, *words, *more).both, words
        for url in bad:
            for words in (("status",), ("enqueue", "true"), ("config", "show", "--origin"), ("server", "status")):
                said = say(url, *words)
                assert said.code, url
                assert CANARY not in said.both, (url, said)


def test_a_password_is_in_no_command_line(tmp_path: Path, queuectl_home: Path) -> None:
    with guarded(tmp_path) as path:
        process = spawn("--redis-url", f"unix://:{CANARY}@{path}", "enqueue", "--from", "-", stdin=-1)
        command_line = Path(f"/proc/{process.pid}/cmdline")
        wait_until(
            lambda: b"enqueue" in command_line.read_bytes() and CANARY.encode() not in command_line.read_bytes()
        )
        out, err = process.communicate(b"true\n", LONGEST_SECONDS)
        assert process.returncode == 0, err
        assert CANARY.encode() not in out + err


def test_no_object_shows_it_in_a_traceback() -> None:
    url = f"redis://ann:{CANARY}@localhost/0"
    settings = load(redis_url=url, environ={"QUEUECTL_HOME": "/tmp/x", "HOME": "/"})
    for thing in (parse(url), settings, RedisStorage(settings=settings)):
        assert CANARY not in f"{thing} {thing!r}"
