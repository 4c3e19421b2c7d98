"""Job and worker <-> the fields of their hashes. All values are bytes on the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from queuectl.errors import InvalidInput, RecordInvalid
from queuectl.model import values
from queuectl.model.command import EXEC, SHELL, check
from queuectl.model.job import DEFAULT_QUEUE, Job
from queuectl.model.job_limits import NO_LIMITS, JobLimits, checked
from queuectl.model.lifecycle import JobState
from queuectl.model.retry import RetryPolicy
from queuectl.model.worker import WorkerInfo

T = TypeVar("T")
Fields = Mapping[bytes, bytes]


class Lease(NamedTuple):
    """A claimed job: what its worker needs to run it and to report on it."""

    job_id: str
    fence: int
    command: bytes
    form: str
    cwd: bytes
    env: str
    timeout: float
    attempts: int
    policy: RetryPolicy
    queue: str
    limits: JobLimits = NO_LIMITS


LEASE_FIELDS = (
    "command",
    "form",
    "cwd",
    "env",
    "timeout",
    "attempts",
    "max_retries",
    "backoff_base",
    "backoff_factor",
    "queue",
    "limits",
)
"""Fields of the hash that a claim gives back, in this order."""

_DEFAULT = RetryPolicy()

_LARGEST = 1e11
"""No time or number of seconds is larger, in 3,000 years; NaN and infinity are none at all."""


def lease_from(reply: Sequence[bytes | None]) -> Lease:
    """A claim's row ``[id, fence, *LEASE_FIELDS]``; RecordInvalid if no job can be run from it."""
    job_id, fence, command, form, cwd, env, timeout, attempts, retries, base, factor, queue, bounds = reply
    try:
        form_text = form.decode() if form else SHELL
        if command is None:
            raise RecordInvalid("it has no command")
        if form_text not in (SHELL, EXEC):
            raise RecordInvalid(f"its form is {form_text!r}")
        check(command, form_text)
        if b"\0" in (cwd or b"") + (queue or b""):
            raise RecordInvalid("its directory or its queue has a NUL byte")
        return Lease(
            job_id=(job_id or b"").decode(),
            fence=int(fence or 0),
            command=command,
            form=form_text,
            cwd=cwd or b"",
            env=(env or b"").decode(),
            timeout=values.timeout(timeout) if timeout else 0.0,
            attempts=values.whole_number("attempts", attempts, 0, 1 << 53) if attempts else 0,
            policy=_policy_from(retries, base, factor),
            queue=(queue or b"").decode() or DEFAULT_QUEUE,
            limits=_limits_from(bounds) if bounds else NO_LIMITS,
        )
    except (InvalidInput, UnicodeDecodeError) as error:
        raise RecordInvalid(str(error)) from None


@lru_cache(maxsize=64)
def _policy_from(retries: bytes | None, base: bytes | None, factor: bytes | None) -> RetryPolicy:
    # Cached: most jobs share a policy, and checking it costs as much as all the rest of a lease.
    return RetryPolicy(
        values.max_retries(retries) if retries is not None else _DEFAULT.max_retries,
        values.backoff_base(base) if base is not None else _DEFAULT.backoff_base,
        values.backoff_factor(factor) if factor is not None else _DEFAULT.backoff_factor,
    )


@lru_cache(maxsize=64)
def _limits_from(packed: bytes) -> JobLimits:
    """The inverse of `pack_limits`. A limit that isn't known is an error: it must not be passed over."""
    pairs = (part.partition("=") for part in packed.decode().split())
    return checked({name: value for name, _, value in pairs})


def job_from(job_id: str, fields: Fields) -> Job:
    """A job from its whole hash; RecordInvalid names the first field that can't be read.

    Fields that are missing take the defaults, so that a hash with just ``status`` and ``command`` is a job.
    """
    status = _read(fields, "status", lambda value: JobState(value.decode()), None)
    if status is None:
        raise RecordInvalid("it has no status")
    if b"command" not in fields:
        raise RecordInvalid("it has no command")
    return Job(
        id=job_id,
        status=status,
        command=fields[b"command"],
        form=_read(fields, "form", bytes.decode, SHELL),
        queue=_read(fields, "queue", bytes.decode, DEFAULT_QUEUE),
        policy=RetryPolicy(
            _read(fields, "max_retries", int, _DEFAULT.max_retries),
            _read(fields, "backoff_base", _finite, _DEFAULT.backoff_base),
            _read(fields, "backoff_factor", _finite, _DEFAULT.backoff_factor),
        ),
        timeout=_read(fields, "timeout", _finite, 0.0),
        limits=_read(fields, "limits", _limits_from, NO_LIMITS),
        attempts=_read(fields, "attempts", int, 0),
        crashes=_read(fields, "crashes", int, 0),
        fence=_read(fields, "fence", int, 0),
        cwd=fields.get(b"cwd", b""),
        env=_read(fields, "env", bytes.decode, ""),
        created_at=_read(fields, "created_at", _finite, None),
        started_at=_read(fields, "started_at", _finite, None),
        finished_at=_read(fields, "finished_at", _finite, None),
        next_retry_at=_read(fields, "next_retry_at", _finite, None),
        exit_code=_read(fields, "exit_code", int, None),
        reason=fields.get(b"reason", b"").decode("utf-8", "replace"),
        worker=fields.get(b"worker", b"").decode("utf-8", "replace"),
        host=fields.get(b"host", b"").decode("utf-8", "replace"),
    )


def worker_from(name: str, fields: Fields) -> WorkerInfo:
    """A worker from its hash."""
    return WorkerInfo(
        name=name,
        status=fields.get(b"status", b"").decode("utf-8", "replace"),
        job=fields.get(b"job", b"").decode("utf-8", "replace"),
        host=fields.get(b"host", b"").decode("utf-8", "replace"),
        pid=_read(fields, "pid", int, 0),
        started_at=_read(fields, "started_at", _finite, 0.0),
        heartbeat=_read(fields, "heartbeat", _finite, 0.0),
    )


def _finite(value: bytes) -> float:
    number = float(value)
    if not abs(number) < _LARGEST:
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
