"""An unprivileged user, whose jobs can become root through a setuid program."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli import Answer, end_everything, environment, finish, program
from waiting import wait_until

UID = 65_534

AS_PERSON = (
    *("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),  # Python may be in root's home
)

BECOME = "./become --reuid 0 --regid 0 --clear-groups"


class Person:
    """An unprivileged user with a state folder, in a folder where root may write too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._pools: list[subprocess.Popen[bytes]] = []

    def spawn(self, *words: str, within: Sequence[str] = (), **options: Any) -> subprocess.Popen[bytes]:
        """Start `queuectl WORDS`, by another program if ``within`` names one."""
        env = environment({"QUEUECTL_HOME": str(self.home), "HOME": str(self.folder)})
        return subprocess.Popen([*AS_PERSON, *within, program(), *words], cwd=self.folder, env=env, **options)

    def run(self, *words: str, code: int | None = 0, within: Sequence[str] = ()) -> Answer:
        answer = finish(self.spawn(*words, within=within, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        assert code is None or answer.code == code, answer
        return answer

    def enqueue(self, *words: str) -> str:
        return self.run("enqueue", *words).out.strip()

    def show(self, job_id: str) -> dict[str, Any]:
        return self.run("show", job_id, "--json").object

    def is_unkillable(self, job_id: str) -> bool:
        return bool(self.show(job_id)["cause"] == "unkillable")

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a pool whose messages go to a file."""
        with open(self.folder / "said", "ab") as said:
            process = self.spawn("worker", "start", "--grace", "0.2", *options, stderr=said)
        self._pools.append(process)
        wait_until(lambda: self.workers() or process.poll() is not None)
        return process

    def leave(self) -> None:
        """Kill all processes, and stop the server."""
        end_everything(self.home)
        for process in self._pools:
            process.wait()
        self.run("server", "stop", code=None)

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def workers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.run("status", "--json").object["workers"]
        return found

    def open_gate(self) -> None:
        (self.folder / "gate").touch()

    def wait_for(self, job_id: str, state: str) -> dict[str, Any]:
        wait_until(lambda: self.show(job_id)["state"] == state)
        return self.show(job_id)


def is_possible() -> bool:
    """Whether another user can run this program, and become root with a setuid one."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        return False
    try:
        subprocess.run([*AS_PERSON, program(), "--version"], cwd="/", check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@contextmanager
def a_person() -> Iterator[Person]:
    """Make a state folder for the user, and the setuid program; remove both, and all processes, at the end."""
    folder = Path(tempfile.mkdtemp(prefix="queuectl-person-"))
    folder.chmod(0o777)
    one = Person(folder)
    one.home.mkdir(0o700)
    os.chown(one.home, UID, UID)
    become = folder / "become"
    shutil.copy(str(shutil.which("setpriv")), become)
    become.chmod(0o4755)
    try:
        answer = subprocess.run(
            [*BECOME.split(), "id", "-ru"], cwd=folder, user=UID, capture_output=True, check=False
        )
        if answer.stdout.strip() != b"0":
            pytest.skip("setuid programs have no effect in this folder")
        yield one
    finally:
        one.leave()
        shutil.rmtree(folder)
