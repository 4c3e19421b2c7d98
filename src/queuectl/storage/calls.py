"""Each script's arguments and reply, in Python's terms: the one place that knows their order.

`enqueue`, which short commands need alone, is in `submit`.

A `Call` does nothing by itself. `RedisStorage` runs one and waits; a worker's `Link` runs it in its event loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from queuectl.errors import RecordInvalid
from queuectl.model.job import Job, Lease
from queuectl.model.lifecycle import JobState
from queuectl.model.outcome import Outcome
from queuectl.options import Retention, settings_rows
from queuectl.storage.codec import LEASE_FIELDS, job_from, lease_from, mapping
from queuectl.storage.scripts import CHUNK, Call


class Invalid(NamedTuple):
    """A claimed job that can't be run, and why; its lease is to be ended as dead."""

    job_id: str
    fence: int
    reason: str


class Claim(NamedTuple):
    """What a claim gave. ``next_due`` is in seconds, ``None`` when nothing is planned.

    ``newer``: the version of the server's records, when it is later than ours; then nothing was claimed.
    """

    stopped: bool
    next_due: float | None
    pending: int
    leases: list[Lease]
    invalid: list[Invalid]
    newer: str = ""


class Pulse(NamedTuple):
    """What a heartbeat told. ``lost`` are leases, as id and fence, that are another's now.

    ``origin``: when the queue's first job came, "" if none has; another one is another queue.
    """

    stopped: bool
    next_due: float | None
    pending: int
    lost: list[tuple[str, int]]
    cancelled: list[tuple[str, int]]
    origin: str


class WorkerState(NamedTuple):
    """What one worker does, for its heartbeat; ``job_id`` is empty while it is idle."""

    name: str
    status: str
    job_id: str = ""
    fence: int = 0


class Page(NamedTuple):
    """Some jobs in order with the cursor of each, and records that are no valid job, with the reason.

    ``end`` is the cursor of the last record: the next page goes on after it. "" when the page is empty.
    """

    jobs: list[Job]
    cursors: list[str]
    invalid: list[tuple[str, str]]
    end: str


class Overview(NamedTuple):
    """Counts of all states, names of live workers, and what else a status shows."""

    jobs: dict[JobState, int]
    workers: list[str]
    stopped: bool
    set_aside: list[str]


ACTIVITY_SECONDS = 60.0
"""What counts as lately."""


class Activity(NamedTuple):
    """What the queue has been doing lately. Times are Unix seconds by the server's clock.

    ``finished``: jobs that completed or died in the last ACTIVITY_SECONDS, the first at ``first_finished_at``.
    """

    now: float
    oldest_pending_at: float | None = None
    finished: int = 0
    first_finished_at: float | None = None


def claim(runner: str, lease_seconds: float, want: int) -> Call[Claim]:
    """Lease up to ``want`` jobs to ``runner``."""
    return Call("claim", (runner, lease_seconds, want, *LEASE_FIELDS), partial(_claim_from, runner))


def finish(results: Sequence[tuple[Lease | Invalid, Outcome, str]]) -> Call[list[str]]:
    """End leases with ``(lease, outcome, worker)`` each; gives each job's state now, or ``stale``."""
    arguments: list[str | bytes | int] = []
    for lease, outcome, worker in results:
        code = "" if outcome.exit_code is None else outcome.exit_code
        arguments += (
            *(lease.job_id, lease.fence, outcome.verdict, code, outcome.cause),
            *(outcome.detail.encode("utf-8", "replace"), f"{outcome.duration:.6f}", worker, f"{outcome.delay:.6f}"),
        )
    return Call("finish", tuple(arguments), _texts)


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
    return Call("heartbeat", tuple(arguments), _pulse_from)


def retire(runner: str, workers: Sequence[str]) -> Call[int]:
    """Forget a runner that holds no lease any more."""
    return Call("retire", (runner, *workers), int)


def recover(dead_runners: Sequence[str], skip: int) -> Call[tuple[int, int]]:
    """Free leases of dead runners in one chunk; gives where to go on (-1: done) and how many."""
    return Call("recover", (skip, CHUNK, *dead_runners), tuple)


def disown(runner: str, known: Sequence[Lease | Invalid]) -> Call[int]:
    """Put back what the runner's last claim gave it and is not among the ``known``; gives how many jobs."""
    pairs = [part for lease in known for part in (lease.job_id, lease.fence)]
    return Call("disown", (runner, *pairs), int)


def cancel(job_ids: Sequence[str]) -> Call[list[str]]:
    """Cancel waiting jobs, ask for the end of running ones."""
    return Call("cancel", tuple(job_ids), _texts)


def clear(before: str) -> Call[tuple[str, int]]:
    """Cancel one chunk of pending jobs; gives the time to pass next, empty at the end, and how many there were."""
    return Call("clear", (before, CHUNK), lambda reply: (reply[0].decode(), int(reply[1])))


def dlq_retry(job_ids: Sequence[str]) -> Call[list[str]]:
    """Put dead jobs back into the queue."""
    return Call("dlq_retry", tuple(job_ids), _texts)


def delete(state: JobState, job_ids: Sequence[str]) -> Call[list[str]]:
    """Remove jobs that are in ``state``; gives the ids that were."""
    return Call("delete", (state.value, *job_ids), _texts)


def prune() -> Call[list[str]]:
    """Remove one chunk of finished jobs past their retention; gives their ids."""
    return Call("prune", (CHUNK, *settings_rows(list(Retention.table))), _texts)


def stop() -> Call[int]:
    """Set the stop signal; gives the number of workers that were told."""
    return Call("stop", (), int)


def resume() -> Call[bool]:
    """Take the stop signal back; gives whether it was set."""
    return Call("resume", (), bool)


def fsck_jobs(job_ids: Sequence[str], repair: bool) -> Call[list[tuple[str, str, bool]]]:
    """Check jobs; gives id, problem and whether it can be repaired."""
    return Call("fsck_jobs", ("1" if repair else "", *job_ids), _problems_from)


def fsck_hints(state: JobState, job_ids: Sequence[str], before: str, repair: bool) -> Call[list[str]]:
    """Which of these jobs, not found in their state's list, have been in that state since ``before``."""
    return Call("fsck_hints", ("1" if repair else "", state.value, before, *job_ids), _texts)


def watch(job_id: str) -> Call[str]:
    """Ask for the job's failures and its end to be published; gives its state now, empty when it does not exist."""
    return Call("watch", (job_id,), bytes.decode)


def page(states: Sequence[JobState], limit: int, after: str) -> Call[Page]:
    """One page of jobs after a cursor, "" for the first page."""
    cursor = after.encode("utf-8", "surrogateescape")
    return Call("page", (limit, cursor, *(state.value for state in states)), _page_from)


def find(prefix: str, limit: int) -> Call[list[str]]:
    """Ids that ``prefix`` (4 characters or more) fits, at most ``limit``."""
    return Call("find", (prefix, limit), _texts)


def overview() -> Call[Overview]:
    """Counts, workers, stop signal."""
    return Call("overview", tuple(state.value for state in JobState), _overview_from)


def _texts(reply: Sequence[bytes]) -> list[str]:
    return [part.decode("utf-8", "replace") for part in reply]


def _leases(flat: Sequence[bytes]) -> list[tuple[str, int]]:
    return [(job_id.decode(), int(fence)) for job_id, fence in zip(flat[::2], flat[1::2], strict=True)]


def _problems_from(flat: Sequence[Any]) -> list[tuple[str, str, bool]]:
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return [
        (job_id.decode("utf-8", "replace"), problem.decode(), repairable == 1)
        for job_id, problem, repairable in rows
    ]


def _due_from(text: bytes) -> float | None:
    return float(text) if text else None


def _claim_from(runner: str, reply: Sequence[Any]) -> Claim:
    if reply[0] == b"newer":
        return Claim(False, None, reply[2], [], [], reply[3].decode("utf-8", "replace"))
    leases: list[Lease] = []
    invalid: list[Invalid] = []
    for row in reply[3:]:
        try:
            leases.append(lease_from(row, runner))
        except RecordInvalid as error:
            invalid.append(Invalid(row[0].decode(), int(row[1]), f"not a valid job: {error.message}"))
    return Claim(reply[0] == b"stopped", _due_from(reply[1]), reply[2], leases, invalid)


def _pulse_from(reply: Sequence[Any]) -> Pulse:
    stop, due, pending, lost, cancelled, origin = reply
    return Pulse(
        stop == b"true",
        _due_from(due),
        pending,
        _leases(lost),
        _leases(cancelled),
        origin.decode("utf-8", "replace"),
    )


def _page_from(reply: Sequence[Any]) -> Page:
    page = Page([], [], [], "")
    for raw_cursor, raw_id, fields in reply:
        cursor, job_id = raw_cursor.decode("utf-8", "surrogateescape"), raw_id.decode("ascii", "replace")
        page = page._replace(end=cursor)
        try:
            page.jobs.append(job_from(job_id, mapping(fields)))
            page.cursors.append(cursor)
        except RecordInvalid as error:
            page.invalid.append((job_id, error.message))
    return page


def _overview_from(reply: Sequence[Any]) -> Overview:
    counts, workers, stopped, set_aside = reply
    ids = [job_id.decode("utf-8", "replace") for job_id in set_aside]
    return Overview(dict(zip(JobState, counts, strict=True)), _texts(workers), stopped == b"true", ids)
