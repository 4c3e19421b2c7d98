"""The embedded server does not keep what the shell that happens to start it is subject to."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cli
from queuectl.server import failures, launch, paths
from queuectl.server.embedded import EmbeddedServer
from waiting import wait_until

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")


def run(*words: str, **options: Any) -> cli.Answer:
    """Run `queuectl WORDS`, whatever its exit code."""
    return cli.run(*words, code=None, **options)


def pid_of(home: Path) -> int:
    pid = EmbeddedServer(str(home)).status().pid
    assert pid is not None
    return pid


@needs_proc
@pytest.mark.parametrize(("letter", "name"), [("f", "RLIMIT_FSIZE"), ("t", "RLIMIT_CPU"), ("n", "RLIMIT_NOFILE")])
def test_soft_limits_of_the_shell_are_lifted(queuectl_home: Path, letter: str, name: str) -> None:
    answer = cli.shell(f"ulimit -S -{letter} 64; queuectl enqueue true")
    assert (answer.code, answer.err) == (0, "")
    soft, hard = resource.prlimit(pid_of(queuectl_home), getattr(resource, name))
    assert soft == hard == resource.getrlimit(getattr(resource, name))[1]


def test_a_hard_limit_is_warned_of(queuectl_home: Path) -> None:
    answer = cli.shell("ulimit -f 2048; queuectl enqueue true")
    assert answer.code == 0
    assert "limits the embedded server in the size of its files" in answer.err
    assert "limits" not in run("enqueue", "true").err


@needs_proc
def test_it_has_the_usual_priority_or_says_that_it_has_not(queuectl_home: Path) -> None:
    answer = cli.shell("nice -n 5 queuectl enqueue true")
    raised = os.getpriority(os.PRIO_PROCESS, pid_of(queuectl_home)) == 0
    assert raised != ("low priority" in answer.err)


@needs_proc
def test_it_has_its_own_session_and_directory(queuectl_home: Path, tmp_path: Path) -> None:
    assert run("enqueue", "true", cwd=tmp_path).code == 0
    pid = pid_of(queuectl_home)
    assert os.getsid(pid) != os.getsid(0)
    assert Path(f"/proc/{pid}/cwd").readlink() == queuectl_home / "server"


# --- loading

SLOW_LOADING = b"key-load-delay 1000\nloading-process-events-interval-bytes 1024\n"


@pytest.fixture
def slow_server(queuectl_home: Path) -> Iterator[Path]:
    """A state folder whose server was killed, and takes some seconds to read its data."""
    import signal

    from queuectl.server import config

    run("enqueue", "--from", "-", stdin="\n".join(f"echo {n}" for n in range(1500)).encode())
    os.kill(pid_of(queuectl_home), signal.SIGKILL)
    wait_until(lambda: not launch.is_locked(f"{queuectl_home}/server/valkey.pid"))
    render = config.render
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "render", lambda **options: render(**options) + SLOW_LOADING)
        yield queuectl_home


@pytest.mark.parametrize("named", [False, True], ids=["embedded", "named"])
def test_every_command_waits_while_the_server_reads_its_data(slow_server: Path, named: bool) -> None:
    starter = threading.Thread(target=EmbeddedServer(str(slow_server)).ensure_running)
    starter.start()
    socket = paths.socket_path(str(slow_server))
    from queuectl.server import wire

    wait_until(lambda: wire.probe(socket) is wire.Answer.LOADING)
    env = {"QUEUECTL_REDIS_URL": f"unix://{socket}"} if named else {}
    answers = [cli.spawn("enqueue", "true", env=env) for _ in range(3)]
    finished = [cli.finish(process) for process in answers]
    starter.join()
    assert [answer.code for answer in finished] == [0, 0, 0]
    assert all("is reading its data" in answer.err for answer in finished)


# --- a full disk


def test_a_server_that_stopped_on_a_full_disk_is_told(queuectl_home: Path) -> None:
    directory = paths.prepare(str(queuectl_home))
    log = Path(directory) / "valkey.log"
    line = "1:M 24 Nov 2026 20:00:00.000 # Error writing to the AOF file: No space left on device\n"
    log.write_text(line)
    error = failures.explain_loss(directory)
    assert error is not None
    assert "The disk is full" in error.message
    assert directory in error.message
    log.write_text(line + "1:M 24 Nov 2026 20:00:01.000 * Ready to accept connections unix\n")
    assert failures.explain_loss(directory) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = tmp_path / "d"
    mounted.mkdir()
    options = ["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"]
    if os.geteuid() or subprocess.run(["mount", *options, mounted], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no disk may be mounted here")
    yield mounted
    EmbeddedServer(str(mounted / "h")).stop()
    subprocess.run(["umount", "--lazy", mounted], check=True)


def test_a_full_disk_under_the_server_is_told_with_its_place(small_disk: Path) -> None:
    env = {"QUEUECTL_HOME": str(small_disk / "h")}
    run("enqueue", "true", env=env)
    for _ in range(50):
        answer = run("enqueue", f"echo {'x' * 60000}", env=env)
        if answer.code:
            break
    assert "The disk is full" in answer.err
    assert f"{small_disk}/h/server" in answer.err
    assert "redis-cli" not in answer.err
    answer = run("enqueue", "true", env=env)
    assert answer.code == 0 or "The disk is full" in answer.err or "No space left" in answer.err
