"""Workers run jobs as root where root is the user, and not because of an accidental `sudo`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inprocess import call
from queuectl.errors import BadConfiguration
from queuectl.worker.pool import superuser
from queuectl.worker.pool.superuser import taken_by

NO_LOGIN = 0xFFFFFFFF

Machine = Callable[..., None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Sets up who we are, who logged in and where."""
    for name in ("CI", "container", "SUDO_USER", "DOAS_USER", "QUEUECTL_ALLOW_ROOT"):
        monkeypatch.delenv(name, raising=False)

    def be(uid: int = 0, login: int = NO_LOGIN, file: str = "", **environ: str) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        monkeypatch.setattr(superuser, "_login_uid", lambda: login)
        monkeypatch.setattr(superuser, "_CONTAINER_FILES", (file,) if file else ())
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

    return be


@pytest.mark.parametrize(
    ("environ", "login", "person"),
    [
        ({}, NO_LOGIN, ""),  # a service, an init script
        ({}, 0, ""),  # root logged in
        ({"SUDO_USER": "root"}, 0, ""),
        ({"SUDO_USER": "ann"}, NO_LOGIN, "ann"),
        ({"DOAS_USER": "ann"}, 0, "ann"),
        ({"SUDO_USER": "ann"}, 1000, "ann"),
        ({}, 1000, "uid 1000"),  # su
    ],
)
def test_who_became_root(environ: dict[str, str], login: int, person: str) -> None:
    assert taken_by(environ, login) == person


def test_a_person_who_became_root_is_asked(machine: Machine) -> None:
    machine(SUDO_USER="ann")
    with pytest.raises(BadConfiguration, match="ann") as refused:
        superuser.check(allowed=False)
    assert "--allow-root" in refused.value.hint
    superuser.check(allowed=True)


@pytest.mark.parametrize(
    "place",
    [{"uid": 1000}, {"file": "/"}, {"container": "podman"}, {"CI": "true"}],
    ids=["no root", "a container", "another container", "CI"],
)
def test_nobody_else_is_asked(machine: Machine, place: dict[str, object]) -> None:
    machine(login=1000, SUDO_USER="ann", **place)
    superuser.check(allowed=False)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own record of the log-in")
def test_the_log_in_is_read(tmp_path: Path) -> None:
    assert superuser._login_uid() >= 0


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be taken for root")
def test_the_commands_that_start_workers_refuse(machine: Machine, queuectl_home: Path) -> None:
    machine(login=1000)
    for command in (["worker", "start"], ["worker", "start", "--detach"], ["run", "true"]):
        said = call(*command)
        assert (said.code, said.out) == (78, b"")
        assert b"as root, but you are uid 1000" in said.err
    assert b'"pending": 0' in call("status", "--json").out, "run has added nothing"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be taken for root")
def test_it_can_be_allowed(machine: Machine, queuectl_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from queuectl.worker.pool.pool import Pool

    monkeypatch.setattr(Pool, "run", lambda pool: 0)
    machine(login=1000)
    assert call("worker", "start", "--allow-root").code == 0
    assert call("worker", "start", env={"QUEUECTL_ALLOW_ROOT": "yes"}).code == 0
    assert call("worker", "start", env={"QUEUECTL_ALLOW_ROOT": "no"}).code == 78
