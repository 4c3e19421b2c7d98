"""Where settings come from, and which values are invalid."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.errors import BadConfiguration
from queuectl.settings import load

if TYPE_CHECKING:
    from collections.abc import Mapping

linux = pytest.mark.skipif(sys.platform != "linux", reason="the XDG rule is for Linux")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment that names a configuration file, which is still to be written."""
    return {"HOME": str(tmp_path), "QUEUECTL_CONFIG": str(tmp_path / "c.toml")}


def write(environ: Mapping[str, str], text: str) -> str:
    Path(environ["QUEUECTL_CONFIG"]).write_text(text, encoding="utf-8")
    return environ["QUEUECTL_CONFIG"]


@linux
def test_defaults(tmp_path: Path) -> None:
    settings = load(environ={"HOME": str(tmp_path)})
    assert settings.home == str(tmp_path / ".local/state/queuectl")
    assert settings.redis_url is None
    assert settings.namespace == "queuectl"
    assert settings.appendfsync == "always"
    assert settings.origins == dict.fromkeys(
        ("home", "redis_url", "namespace", "appendfsync", "insecure_redis", "allow_root"), "default"
    )


@linux
def test_the_xdg_folders(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path / "s"), "XDG_CONFIG_HOME": str(tmp_path / "c")}
    (tmp_path / "c/queuectl").mkdir(parents=True)
    (tmp_path / "c/queuectl/config.toml").write_text("namespace = 'mine'")
    settings = load(environ=environ)
    assert settings.home == str(tmp_path / "s/queuectl")
    assert settings.namespace == "mine"


@linux
def test_a_relative_xdg_folder_is_ignored(tmp_path: Path) -> None:
    settings = load(environ={"HOME": str(tmp_path), "XDG_STATE_HOME": "here"})
    assert settings.home == str(tmp_path / ".local/state/queuectl")


def test_other_systems_ask_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    platformdirs = pytest.importorskip("platformdirs")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platformdirs, "user_state_dir", lambda: "/Users/ann/state")
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda: "/Users/ann/config")
    assert load(environ={}).home == "/Users/ann/state/queuectl"


def test_option_over_environment_over_file_over_default(environ: dict[str, str]) -> None:
    file = write(environ, "redis_url = 'redis://file'\nnamespace = 'file'\nappendfsync = 'no'")
    environ |= {"QUEUECTL_REDIS_URL": "redis://env", "QUEUECTL_NAMESPACE": "env"}
    settings = load(namespace="option", environ=environ)
    assert settings[1:4] == ("redis://env", "option", "no")
    assert settings.origins == {
        "home": "default",
        "redis_url": "environment QUEUECTL_REDIS_URL",
        "namespace": "option --namespace",
        "appendfsync": f"file {file}",
        "insecure_redis": "default",
        "allow_root": "default",
    }
    settings = load(redis_url="redis://option", environ=environ)
    assert settings.redis_url == "redis://option"
    assert settings.origins["redis_url"] == "option --redis-url"


def test_an_empty_variable_is_not_set(environ: dict[str, str]) -> None:
    write(environ, "namespace = 'file'")
    empty = dict.fromkeys(("QUEUECTL_HOME", "QUEUECTL_NAMESPACE", "QUEUECTL_REDIS_URL"), "")
    settings = load(environ=environ | empty)
    assert settings.namespace == "file"
    assert settings.redis_url is None
    assert load(environ={"HOME": environ["HOME"], "QUEUECTL_CONFIG": ""}).namespace == "queuectl"


@pytest.mark.parametrize(("given_", "expected"), [("~/q", "q"), ("~", "."), ("/a/../b", "/b")])
def test_home_is_absolute(environ: dict[str, str], given_: str, expected: str) -> None:
    write(environ, "")
    settings = load(environ=environ | {"QUEUECTL_HOME": given_})
    assert settings.home == os.path.normpath(Path(environ["HOME"], expected))


def test_a_relative_home_starts_where_it_is_written(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write(environ, "home = 'state'")
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    assert load(environ=environ).home == str(Path(environ["HOME"], "state"))
    assert load(environ=environ | {"QUEUECTL_HOME": "state"}).home == str(here / "state")


def test_without_home_the_user_database_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.delenv("HOME", raising=False)
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert load(environ={"QUEUECTL_HOME": "~/q"}).home == str(Path(home, "q"))


@linux
def test_a_user_without_any_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does then
    with pytest.raises(BadConfiguration, match="no home folder") as caught:
        load(environ={})
    assert "QUEUECTL_HOME" in caught.value.hint
    assert load(environ={"QUEUECTL_HOME": str(tmp_path)}).home == str(tmp_path)


def test_a_named_file_has_to_exist(environ: dict[str, str]) -> None:
    with pytest.raises(BadConfiguration, match="doesn't exist") as caught:
        load(environ=environ)
    assert environ["QUEUECTL_CONFIG"] in caught.value.message
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("namespace = ", "isn't TOML"),
        ("queue = 'x'", "unknown key 'queue'"),
        ("[home]\nx = 1", "home .* is of type dict"),
        ("namespace = 3", "namespace .* is of type int"),
        ("redis_url = ''", "redis_url .* is empty"),
        ('home = "a\\u0000b"', "home .* not usable text"),
        ("appendfsync = 'sometimes'", "'sometimes' can't be appendfsync"),
        ("namespace = 'a:b'", "'a:b' can't be a namespace"),
    ],
)
def test_a_file_that_says_nonsense(environ: dict[str, str], text: str, complaint: str) -> None:
    file = write(environ, text)
    with pytest.raises(BadConfiguration, match=complaint) as caught:
        load(environ=environ)
    assert file in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_not_utf8(environ: dict[str, str]) -> None:
    Path(environ["QUEUECTL_CONFIG"]).write_bytes(b"namespace = '\xff'")
    with pytest.raises(BadConfiguration, match="isn't UTF-8"):
        load(environ=environ)


def test_a_file_that_cannot_be_read(environ: dict[str, str]) -> None:
    Path(environ["QUEUECTL_CONFIG"]).mkdir()
    with pytest.raises(BadConfiguration, match="can't be read"):
        load(environ=environ)


@pytest.mark.parametrize("name", ["queuectl", "{queuectl}", "A.b-c_9", "x" * 64, "{" + "x" * 64 + "}"])
def test_namespaces(name: str) -> None:
    assert load(namespace=name, environ={"QUEUECTL_HOME": "/q"}).namespace == name


@given(
    st.sampled_from(["", "{}", "a{b}", "{a", "a}", "{{a}}", "x" * 65, "a\n", "é"])
    | st.from_regex(r"[a-z]*[^A-Za-z0-9_.{}-][a-z]*", fullmatch=True)
)
def test_not_a_namespace(name: str) -> None:
    with pytest.raises(BadConfiguration, match=r"option --namespace"):
        load(namespace=name, environ={"QUEUECTL_HOME": "/q"})


def test_an_empty_url_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="redis_url is empty"):
        load(redis_url="", environ={"QUEUECTL_HOME": "/q"})


@pytest.mark.parametrize("value", ["[" * 5_000, "9" * 5_000, "{a=" * 5_000], ids=["arrays", "digits", "tables"])
def test_a_file_that_overwhelms_the_parser(environ: dict[str, str], value: str) -> None:
    write(environ, f"home = {value}")
    with pytest.raises(BadConfiguration, match="isn't TOML"):
        load(environ=environ)


def test_the_repr_keeps_the_password() -> None:
    settings = load(redis_url="redis://:secret@host", environ={"QUEUECTL_HOME": "/q"})
    assert "secret" not in repr(settings) + str(settings)
    assert "/q" in repr(settings)


def test_an_insecure_server_must_be_asked_for(tmp_path: Path) -> None:
    from queuectl.storage.connect import _refuse_open_door
    from queuectl.storage.url import parse

    for safe in ("redis://localhost", "redis://127.0.0.9", "redis://[::1]", "unix:///x", "redis://:pw@192.0.2.1"):
        _refuse_open_door(parse(safe))
    environ = {"QUEUECTL_HOME": str(tmp_path), "QUEUECTL_CONFIG": os.devnull}
    assert load(environ=environ).insecure_redis is False
    assert load(environ=environ | {"QUEUECTL_INSECURE_REDIS": "yes"}).insecure_redis is True
    assert load(environ=environ, insecure_redis=True).origins["insecure_redis"] == "option --insecure-redis"


# Who may change the file


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_may_change_is_refused(environ: dict[str, str], mode: int) -> None:
    os.chmod(write(environ, "namespace = 'mine'"), mode)
    with pytest.raises(BadConfiguration, match="can be changed by other users") as caught:
        load(environ=environ)
    assert "chmod go-w" in caught.value.hint


def test_a_file_in_a_folder_that_others_may_change_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    write(environ, "namespace = 'mine'")
    tmp_path.chmod(0o777)
    with pytest.raises(BadConfiguration, match="The folder of the configuration file"):
        load(environ=environ)
    tmp_path.chmod(0o1777)  # as /tmp: nobody may replace a file of somebody else
    assert load(environ=environ).namespace == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(environ: dict[str, str]) -> None:
    os.chown(write(environ, "namespace = 'mine'"), 65534, -1)
    with pytest.raises(BadConfiguration, match="belongs to another user"):
        load(environ=environ)


def test_a_password_that_others_can_read_is_warned_of(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(environ, "redis_url = 'redis://:s3cret@localhost'")
    os.chmod(path, 0o600)
    load(environ=environ)
    assert capsys.readouterr().err == ""
    os.chmod(path, 0o644)
    load(environ=environ)
    said = capsys.readouterr().err
    assert f"chmod 600 '{path}'" in said
    assert "s3cret" not in said
