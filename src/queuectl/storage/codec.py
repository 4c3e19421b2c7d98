"""Converts jobs and workers to and from the fields of their hashes. On the server, all values are bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from queuectl.errors import InvalidInput, RecordInvalid
from queuectl.model.command import EXEC, SHELL, check
from queuectl.model.job import (
    Attempt,
    ClaimedJob,
    Ended,
    Job,
    Lease,
    Retrying,
    Running,
    Waiting,
)
from queuectl.model.lifecycle import FINAL, JobState
from queuectl.model.queue import DEFAULT_QUEUE
from queuectl.model.worker import WorkerInfo
from queuectl.options import ALWAYS, FIELD, LEASE, OPTIONS, PACKED_FIELD, JobOptions, Option
from queuectl.options.lease import LeaseOptions
from queuectl.options.packing import unpack

T = TypeVar("T")
Fields = Mapping[bytes, bytes]

_ALWAYS = tuple(name for name, option in OPTIONS.items() if option.goes_to == ALWAYS)
_OWN_FIELDS = (*_ALWAYS, *(name for name, option in OPTIONS.items() if option.goes_to == FIELD))

LEASE_FIELDS = ("command", "form", "cwd", "env", "queue", "attempts", PACKED_FIELD, *_ALWAYS)
"""The fields of the hash that a claim returns, in this order."""

LARGEST_TIME = 1e11
"""The largest time or number of seconds that we accept (3,000 years); we reject NaN and infinity."""


def mapping(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """Convert ``[field, value, field, value ...]`` to a mapping."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def lease_from(reply: Sequence[Any], runner: str = "") -> Lease:
    """Decode a claim's row ``[id, fence, *LEASE_FIELDS]``; raise RecordInvalid if it describes no runnable job."""
    job_id, fence, command, form, cwd, env, queue, attempts, *options = reply
    try:
        form_text = form.decode() if form else SHELL
        if command is None:
            raise RecordInvalid("it has no command")
        if form_text not in (SHELL, EXEC):
            raise RecordInvalid(f"its form is {form_text!r}")
        check(command, form_text)
        if b"\0" in (cwd or b"") + (queue or b""):
            raise RecordInvalid("its directory or its queue has a NUL byte")
        job = ClaimedJob(
            id=job_id.decode(),
            state=JobState.PROCESSING,
            command=command,
            form=form_text,
            queue=queue.decode() if queue else DEFAULT_QUEUE,
            options=_options_from(*options),
            cwd=cwd or b"",
            env=env.decode() if env else "",
            attempts=_count(attempts) if attempts else 0,
            fence=int(fence),
            standing=Running(runner, _host_of(runner)),
        )
    except (InvalidInput, ValueError) as error:
        raise RecordInvalid(str(error)) from None
    return Lease(job, job.fence)


@lru_cache(maxsize=64)
def _options_from(packed: bytes | None, *always: bytes | None) -> LeaseOptions:
    # Cached: most jobs share their options, and checking them costs as much as the rest of a lease.
    values = {name: _any_text(value) for name, value in zip(_ALWAYS, always, strict=True) if value}
    return LeaseOptions(**values | _unpacked(packed or b""))


def _unpacked(packed: bytes) -> dict[str, str]:
    values = unpack(packed)
    for name in values:
        if name not in OPTIONS or OPTIONS[name].goes_to != LEASE:
            raise InvalidInput(f"{PACKED_FIELD} names {name[:40]!r}, which this version does not know")
    return {name: _any_text(value) for name, value in values.items()}


def _any_text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _count(value: bytes) -> int:
    number = int(value)
    if not 0 <= number < 1 << 53:
        raise ValueError(f"{number} is no count")
    return number


def job_from(job_id: str, fields: Fields) -> Job:
    """Decode a job from its whole hash; RecordInvalid names the first unreadable field.

    Missing fields get the defaults, so a hash with just ``status`` and ``command`` is a job.
    """
    state = _read(fields, "status", lambda value: JobState(value.decode()), None)
    if state is None:
        raise RecordInvalid("it has no status")
    if b"command" not in fields:
        raise RecordInvalid("it has no command")
    return Job(
        id=job_id,
        state=state,
        command=fields[b"command"],
        form=_read(fields, "form", bytes.decode, SHELL),
        queue=_read(fields, "queue", bytes.decode, DEFAULT_QUEUE),
        options=_all_options_from(fields),
        cwd=fields.get(b"cwd", b""),
        env=_read(fields, "env", bytes.decode, ""),
        created_at=_read(fields, "created_at", _finite, None),
        attempts=_read(fields, "attempts", _count, 0),
        crashes=_read(fields, "crashes", _count, 0),
        fence=_read(fields, "fence", int, 0),
        standing=_standing_from(state, fields),
        last=_last_from(state, fields),
    )


def _all_options_from(fields: Fields) -> JobOptions:
    # Each read by itself, so that the error names the unreadable field.
    packed = _read(fields, PACKED_FIELD, lambda value: JobOptions(**_unpacked(value)), JobOptions())
    own = {name: _read(fields, name, _reader(OPTIONS[name]), None) for name in _OWN_FIELDS}
    return packed | JobOptions(**own)


def _reader(option: Option[T]) -> Callable[[bytes], T]:
    return lambda value: option.read(_any_text(value))


def _standing_from(state: JobState, fields: Fields) -> Waiting | Running | Retrying | Ended:
    if state is JobState.PROCESSING:
        started_at = _read(fields, "started_at", _finite, None)
        worker, owner = _text(fields, "worker"), _text(fields, "owner")
        # Until the first heartbeat only the runner is known; the worker may be the previous attempt's.
        name = worker if worker.startswith(owner) else owner
        return Running(name, _host_of(owner), started_at, unkillable_from(fields)[1])
    if state is JobState.FAILED:
        return Retrying(_read(fields, "next_retry_at", _finite, None))
    if state in FINAL:
        return Ended(_read(fields, "finished_at", _finite, None))
    return Waiting()


def _last_from(state: JobState, fields: Fields) -> Attempt | None:
    exit_code = _read(fields, "exit_code", int, None)
    cause = "" if state is JobState.COMPLETED else _text(fields, "cause")
    # Versions before 0.2 wrote only a sentence.
    detail = _text(fields, "detail") or ("" if cause or state is JobState.COMPLETED else _text(fields, "reason"))
    if exit_code is None and not cause and not detail:
        return None
    if state is JobState.PROCESSING:  # worker and start belong to the next attempt
        return Attempt("", "", None, exit_code, cause, detail)
    started_at = _read(fields, "started_at", _finite, None)
    host = _host_of(_text(fields, "owner"))
    return Attempt(_text(fields, "worker"), host, started_at, exit_code, cause, detail)


def unkillable_from(fields: Fields) -> tuple[str, str]:
    """Return what the newest lease's runner has noted about processes that it can't kill: marks and words."""
    fence, _, rest = _text(fields, "unkillable").partition(" ")
    marks, _, words = rest.partition(" ")
    return (marks, words) if fence == _text(fields, "fence") else ("", "")


def _host_of(runner: str) -> str:
    """Return the host, the first part of a runner's name: ``web1-3fa2c1``."""
    return runner.rpartition("-")[0]


def worker_from(name: str, fields: Fields) -> WorkerInfo:
    """Decode a worker from its hash."""
    return WorkerInfo(
        name=name,
        status=_text(fields, "status"),
        job=_text(fields, "job"),
        host=_text(fields, "host"),
        pid=_read(fields, "pid", int, 0),
        started_at=_read(fields, "started_at", _finite, 0.0),
        heartbeat=_read(fields, "heartbeat", _finite, 0.0),
    )


def _text(fields: Fields, name: str) -> str:
    return fields.get(name.encode(), b"").decode("utf-8", "replace")


def _finite(value: bytes) -> float:
    number = float(value)
    if not abs(number) < LARGEST_TIME:
        raise ValueError
    return number


def _read(fields: Fields, name: str, convert: Callable[[bytes], T], default: T) -> T:
    value = fields.get(name.encode())
    if not value:
        return default
    try:
        return convert(value)
    except (ValueError, InvalidInput):
        raise RecordInvalid(f"its {name} is {value[:40].decode('utf-8', 'replace')!r}") from None
