"""Which leftover processes are killed, and that none is killed that could not be checked."""

from __future__ import annotations

import builtins
import errno
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from queuectl.worker.attempt import descendants
from waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to who asks for them")


@pytest.fixture
def part_of_a_job() -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own that says it is part of job ab12."""
    with subprocess.Popen(["sleep", "1000"], env={"QUEUECTL_JOB_ID": "ab12"}, start_new_session=True) as process:
        wait_until(lambda: descendants.job_of(process.pid) == b"ab12")
        yield process
        process.kill()


def others(process: subprocess.Popen[bytes]) -> list[int]:
    return [pid for pid in descendants.children() if pid != process.pid]


def test_part_of_a_running_job_is_spared_and_ended_once_it_is_over(part_of_a_job: subprocess.Popen[bytes]) -> None:
    spared = others(part_of_a_job)
    assert descendants.end_adopted(spared.__contains__, {b"ab12"}).killed == []
    assert descendants.end_adopted(spared.__contains__).killed == [part_of_a_job.pid]
    assert part_of_a_job.wait() < 0


@pytest.mark.parametrize("hidden", ["environ", "comm", "children"])
def test_who_cant_be_looked_at_for_want_of_a_file_is_left_alone(
    part_of_a_job: subprocess.Popen[bytes], hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spared = others(part_of_a_job)

    def refuse(path: str, *rest: object) -> object:
        if path.endswith(hidden):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return builtins.open(path, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(descendants, "open", refuse, raising=False)
    with pytest.raises(OSError, match="open files"):
        descendants.end_adopted(spared.__contains__)
    assert part_of_a_job.poll() is None


def test_whom_nobody_could_look_at_is_not_taken_for_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> object:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    monkeypatch.setattr(descendants, "open", refuse, raising=False)
    monkeypatch.setattr(descendants, "ROUNDS", 3)
    with pytest.raises(OSError, match="open files"):
        descendants.end_marked(["a-runner"])
