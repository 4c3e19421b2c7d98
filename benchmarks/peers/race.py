"""One run of one peer: its jobs enqueued, drained, timed and counted."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.exactness import Tally
from benchmarks.peers.peer import Peer

POLL_SECONDS = 0.002
STALLED_SECONDS = 20.0
ENDING_SECONDS = 10.0


class Drained(NamedTuple):
    """Jobs a second, from the first line in the file to the last, and from the start of the workers."""

    drain: float
    with_start: float


class Run(NamedTuple):
    """``enqueue`` is in jobs a second; ``drained`` is None if not every job has run."""

    enqueue: float | None
    drained: Drained | None
    tally: Tally


def race(peer: Peer, jobs: int, workers: int, stalled_seconds: float = STALLED_SECONDS) -> Run:
    """Raises `CalledProcessError` if the peer fails to enqueue."""
    file = peer.folder / "out"
    file.unlink(missing_ok=True)
    seconds = peer.enqueue([f"echo {number} >> {shlex.quote(str(file))}" for number in range(jobs)])
    begun = time.perf_counter()
    with _running(peer.start(workers)):
        drained = watch(file, jobs, begun, stalled_seconds)
    tally = Tally.of(file, jobs)
    peer.clear()
    return Run(jobs / seconds if seconds else None, drained, tally)


def watch(file: Path, jobs: int, begun: float, stalled_seconds: float) -> Drained | None:
    """Wait until each job has left its line; None if the file stops growing before that.

    ``begun`` is when the workers were started, by `time.perf_counter`.
    """
    expected = sum(len(f"{number}\n") for number in range(jobs))
    size, changed = 0, time.perf_counter()
    first: tuple[float, int] | None = None
    while True:
        grown, now = file.stat().st_size if file.exists() else 0, time.perf_counter()
        if grown > size:
            size, changed = grown, now
            first = first or (now, file.read_bytes().count(b"\n"))
            if size >= expected and not Tally.of(file, jobs).lost:
                return Drained((jobs - first[1]) / max(now - first[0], POLL_SECONDS), jobs / (now - begun))
        elif now - changed > stalled_seconds:
            return None
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _running(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the process and all that is in its session, in order if it can."""
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
