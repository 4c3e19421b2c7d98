"""What a peer is: something that takes commands, and has workers that run them."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path


class Unavailable(Exception):
    """A peer can't be measured here; the text says why, and what to type if that helps."""


class Peer(ABC):
    """A context manager: its servers run inside. ``folder`` is for its files."""

    name: str
    configuration: str
    """How it is set up, in one line."""
    keeps: str
    """What is left of a job afterwards, and what becomes of one whose worker dies."""
    part = 1
    """A slow one runs one of so many of the jobs: a rate doesn't need them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abstractmethod
    def install(self) -> str:
        """Make it ready to run; gives its version. Raises `Unavailable`."""

    @abstractmethod
    def enqueue(self, commands: Sequence[str]) -> float | None:
        """Into an empty queue; gives the seconds that it took, None if there is no queue to put them into."""

    @abstractmethod
    def start(self, workers: int) -> subprocess.Popen[bytes]:
        """Start what runs the commands, so many at a time: a process that ends in order on SIGTERM."""

    def clear(self) -> None:  # noqa: B027 - most programs have nothing to forget
        """Forget all jobs, after a run."""

    def spawn(
        self, command: Sequence[str], environ: Mapping[str, str], stdin: Path = Path("/dev/null")
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own; what it says goes into a file."""
        with stdin.open("rb") as source, (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, env=dict(environ), stdin=source, stdout=log, stderr=log, start_new_session=True
            )
