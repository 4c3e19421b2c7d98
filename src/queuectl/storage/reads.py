"""What commands read: records one by one, and pages of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from queuectl.errors import RecordInvalid
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.model.worker import WorkerInfo
from queuectl.storage.calls import jobs
from queuectl.storage.calls.jobs import Page
from queuectl.storage.calls.leases import Held
from queuectl.storage.codec import LARGEST_TIME, job_from, mapping, unkillable_from, worker_from
from queuectl.storage.redis_storage import RedisStorage
from queuectl.storage.scripts import CHUNK, JOBS
from queuectl.storage.shapes import (
    count,
    digits,
    either,
    fields,
    flag,
    nothing,
    row,
    score,
    text,
    texts,
    texts_or_none,
)

_TEXT_OR_NONE = either(nothing, text)
_FIRST = either(row(), row(text, score))
"""The first entry of a sorted set."""

ACTIVITY_SECONDS = 60.0
"""What counts as lately."""


class Activity(NamedTuple):
    """What the queue has done lately. Times are Unix seconds by the server's clock.

    ``finished``: jobs that completed or died in the last ACTIVITY_SECONDS, the first at ``first_finished_at``.
    """

    now: float
    oldest_pending_at: float | None = None
    finished: int = 0
    first_finished_at: float | None = None


def job(storage: RedisStorage, job_id: str) -> Job | None:
    """One job by its full id; `RecordInvalid` when its hash is no job."""
    flat = storage.ask(fields, "HGETALL", storage.keys.job(job_id))
    return job_from(job_id, mapping(flat)) if flat else None


def page(storage: RedisStorage, states: Sequence[JobState], limit: int, after: str = "") -> Page:
    """Up to ``limit`` jobs in the order of `calls.jobs.page`, in as many calls as that takes."""
    found = Page([], [], [], "")
    while (left := limit - found.size) > 0:
        more = storage.run(jobs.page(states, min(left, JOBS), found.end or after))
        found = found.followed_by(more)
        if more.size < min(left, JOBS):
            break
    return found


def leases(storage: RedisStorage) -> list[tuple[str, Held]]:
    """All leases, each with its runner, and with what was noted about processes that can't be killed."""
    index, names = storage.keys.index(JobState.PROCESSING.value), ("owner", "fence", "worker", "unkillable")
    found = []
    for start in range(0, storage.ask(count, "ZCARD", index), CHUNK):
        ids = [
            job_id.decode("utf-8", "replace")
            for job_id in storage.ask(texts, "ZRANGE", index, start, start + CHUNK - 1)
        ]
        replies = storage.ask_all(
            [(texts_or_none, ("HMGET", storage.keys.job(job_id), *names)) for job_id in ids], raise_errors=False
        )
        for job_id, values in zip(ids, replies, strict=True):
            if isinstance(values, list) and (values[1] or b"").isdigit():
                fields = {name.encode(): value for name, value in zip(names, values, strict=True) if value}
                runner, worker = (
                    fields.get(name, b"").decode("utf-8", "replace") for name in (b"owner", b"worker")
                )
                found.append((runner, Held(job_id, int(values[1]), worker, *unkillable_from(fields))))
    return found


def lease_owners(storage: RedisStorage, most: int) -> list[str] | None:
    """The runner of each lease; None if there are more than ``most``."""
    ids = storage.ask(texts, "ZRANGE", storage.keys.index(JobState.PROCESSING.value), 0, most)
    if len(ids) > most:
        return None
    keys = [storage.keys.job(job_id.decode("utf-8", "replace")) for job_id in ids]
    owners = storage.ask_all([(_TEXT_OR_NONE, ("HGET", key, "owner")) for key in keys], raise_errors=False)
    return [owner.decode("utf-8", "replace") for owner in owners if isinstance(owner, bytes)]


def exist(storage: RedisStorage, job_ids: Sequence[str]) -> list[bool]:
    """Whether the server has each of these jobs."""
    replies = storage.ask_all([(flag, ("EXISTS", storage.keys.job(job_id))) for job_id in job_ids])
    return [reply == 1 for reply in replies]


def workers(storage: RedisStorage, names: Sequence[str]) -> list[WorkerInfo]:
    """What these workers do. Workers that are gone are left out, and records that are no worker's."""
    found = []
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        questions = [(fields, ("HGETALL", storage.keys.worker(name))) for name in chunk]
        for name, flat in zip(chunk, storage.ask_all(questions, raise_errors=False), strict=True):
            if flat and not isinstance(flat, Exception):
                with suppress(RecordInvalid):
                    found.append(worker_from(name, mapping(flat)))
    return found


def activity(storage: RedisStorage) -> Activity:
    """How long the oldest pending job has been pending, and how many jobs finished lately."""
    now = float(server_time(storage))
    since = f"{now - ACTIVITY_SECONDS:.6f}"
    ended = [storage.keys.index(state.value) for state in (JobState.COMPLETED, JobState.DEAD)]
    oldest, *found = storage.ask_all(
        [
            (_FIRST, ("ZRANGE", storage.keys.index(JobState.PENDING.value), 0, 0, "WITHSCORES")),
            *[(count, ("ZCOUNT", key, since, "+inf")) for key in ended],
            *[(_FIRST, ("ZRANGEBYSCORE", key, since, "+inf", "WITHSCORES", "LIMIT", 0, 1)) for key in ended],
        ]
    )
    counts, firsts = found[: len(ended)], found[len(ended) :]
    moments = [_moment_of(first) for first in firsts]
    return Activity(now, _moment_of(oldest), sum(counts), min(filter(None, moments), default=None))


def _moment_of(entry: Sequence[bytes]) -> float | None:
    """The score of ``[member, score]``; None for no entry, or if another program wrote a score that is no time."""
    moment = float(entry[1]) if entry else 0.0
    return moment if 0 < moment < LARGEST_TIME else None


def server_time(storage: RedisStorage) -> str:
    """The server's clock, in seconds with six digits after the point."""
    seconds, microseconds = storage.ask(row(digits, digits), "TIME")
    return f"{int(seconds)}.{int(microseconds):06d}"


def has_blocked_clients(storage: RedisStorage) -> bool:
    """Whether any client of this server, in any namespace, waits for work or messages."""
    return b"blocked_clients:0\r\n" not in storage.ask(text, "INFO", "clients")
