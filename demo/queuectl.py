"""The `queuectl` command with a private state folder, as a user would type it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

LONGEST_COMMAND_SECONDS = 60


class DemoError(Exception):
    """The demonstration can't go on; the message says why."""


class Queuectl:
    """Runs `queuectl` with ``home`` as its state folder; the user's own queue and settings stay out of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._program = _find_program()
        settings = home / "config.toml"
        settings.write_text("# The demonstration uses the defaults.\n")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QUEUECTL_")},
            "QUEUECTL_HOME": str(home),
            "QUEUECTL_CONFIG": str(settings),
            "QUEUECTL_ALLOW_ROOT": "yes",
        }
        self._worker_messages = home / "worker-messages.txt"
        self._workers: list[subprocess.Popen[bytes]] = []

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run one command and give what it printed; DemoError when it fails."""
        try:
            ended = subprocess.run(
                [self._program, *arguments],
                env=self._environment,
                input=os.fsencode(stdin),
                capture_output=True,
                timeout=LONGEST_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DemoError(f"queuectl {' '.join(arguments)} took more than {LONGEST_COMMAND_SECONDS} s") from None
        if ended.returncode != 0:
            said = ended.stderr.decode(errors="replace").strip()
            raise DemoError(f"queuectl {' '.join(arguments)} ended with {ended.returncode}: {said}")
        return os.fsdecode(ended.stdout)

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """What a command prints with --json: one object on each line."""
        return [json.loads(line) for line in self(*arguments, "--json").splitlines()]

    def add(self, commands: Sequence[str], *options: str) -> list[str]:
        """Add commands, one on each line. Gives their ids, in the same order."""
        return self("enqueue", *options, "--from", "-", stdin="\n".join(commands) + "\n").split()

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        (status,) = self.objects("status")
        return dict(status["jobs"])

    def start_workers(self, count: int) -> subprocess.Popen[bytes]:
        """Start a worker process that ends once nothing is left to do."""
        with self._worker_messages.open("ab") as messages:
            worker = subprocess.Popen(
                [self._program, "worker", "start", "--count", str(count), "--burst", "--grace", "1"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                start_new_session=True,  # so that Ctrl-C comes to us alone, and we stop it in good order
            )
        self._workers.append(worker)
        return worker

    def worker_messages(self) -> str:
        """What the worker processes had to say."""
        return self._worker_messages.read_text(errors="replace").strip()

    def shut_down(self) -> None:
        """End all workers and the server."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
                worker.send_signal(signal.SIGTERM)  # don't wait for the jobs
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.wait(10)
        with contextlib.suppress(DemoError):
            self("server", "stop")


def _find_program() -> str:
    beside_python = Path(sys.executable).with_name("queuectl")
    program = str(beside_python) if beside_python.exists() else shutil.which("queuectl")
    if program is None:
        raise DemoError("queuectl is not installed here. Install it with: pip install -e .")
    return program


def processes_of(job_ids: set[str]) -> Iterator[int]:
    """Processes that belong to a job: each has its job's id in its environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended meanwhile, or is another user's
        for variable in variables:
            name, _, value = variable.partition(b"=")
            if name == b"QUEUECTL_JOB_ID" and value.decode(errors="replace") in job_ids:
                yield int(folder.name)
