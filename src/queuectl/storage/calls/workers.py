"""Calls about workers: heartbeat, stop, resume, and the overview that names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from queuectl.model.job import Lease
from queuectl.model.lifecycle import JobState
from queuectl.storage.scripts import Call, due_from, texts
from queuectl.storage.shapes import count, digits, either, flag, job_id, many, repeated, row, seconds, text, word


class WorkerState(NamedTuple):
    """What one worker does, for its heartbeat; ``job_id`` is empty while it is idle."""

    name: str
    status: str
    job_id: str = ""
    fence: int = 0


class Pulse(NamedTuple):
    """The reply to a heartbeat. ``lost`` are leases, as id and fence, that another runner holds now.

    ``origin``: when the queue's first job came, "" if none has; another one is another queue.
    """

    stopped: bool
    next_due: float | None
    pending: int
    lost: list[tuple[str, int]]
    cancelled: list[tuple[str, int]]
    origin: str


class Overview(NamedTuple):
    """Counts of all states, names of live workers, the stop signal, and ids that were set aside."""

    jobs: dict[JobState, int]
    workers: list[str]
    stopped: bool
    set_aside: list[str]


def heartbeat(
    runner: str,
    host: str,
    pid: int,
    *,
    lease_seconds: float,
    life_seconds: int,
    workers: Sequence[WorkerState],
    waiting: Sequence[Lease] = (),
) -> Call[Pulse]:
    """Renew the leases of ``workers`` and of claimed jobs not started yet; record who is alive."""
    arguments: list[str | int | float] = [runner, host, pid, lease_seconds, life_seconds, len(workers)]
    for worker in workers:
        arguments += worker
    for lease in waiting:
        arguments += (lease.job_id, lease.fence)
    return Call("heartbeat", tuple(arguments), _PULSE, _pulse_from)


def retire(runner: str, workers: Sequence[str]) -> Call[int]:
    """Forget a runner that holds no lease any more."""
    return Call("retire", (runner, *workers), flag, int)


def stop() -> Call[int]:
    """Tell all workers to finish their job and stop; gives how many were told."""
    return Call("stop", (), count, int)


def resume() -> Call[bool]:
    """Remove the stop signal; gives whether it was set."""
    return Call("resume", (), flag, bool)


def overview() -> Call[Overview]:
    """The counts of all states and the live workers."""
    return Call("overview", tuple(state.value for state in JobState), _OVERVIEW, _overview_from, reads=True)


_LEASES = repeated(job_id, digits)
_PULSE = row(text, either(word(b""), seconds), count, _LEASES, _LEASES, text)
_OVERVIEW = row(many(count, exactly=len(JobState)), many(text), text, many(text))


def _pulse_from(reply: Sequence[Any]) -> Pulse:
    stop, due, pending, lost, cancelled, origin = reply
    return Pulse(
        stop == b"true",
        due_from(due),
        pending,
        _leases(lost),
        _leases(cancelled),
        origin.decode("utf-8", "replace"),
    )


def _leases(flat: Sequence[bytes]) -> list[tuple[str, int]]:
    return [(job_id.decode(), int(fence)) for job_id, fence in zip(flat[::2], flat[1::2], strict=True)]


def _overview_from(reply: Sequence[Any]) -> Overview:
    counts, workers, stopped, set_aside = reply
    return Overview(dict(zip(JobState, counts, strict=True)), texts(workers), stopped == b"true", texts(set_aside))
