"""Calls about leases: claim jobs, report their results, give them back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from queuectl.errors import RecordInvalid
from queuectl.model.job import Lease
from queuectl.model.outcome import Outcome
from queuectl.storage.codec import LEASE_FIELDS, lease_from
from queuectl.storage.scripts import CHUNK, Argument, Call, due_from, texts
from queuectl.storage.shapes import (
    Shape,
    count,
    either,
    headed,
    job_id,
    many,
    row,
    seconds,
    text,
    texts_or_none,
    word,
)


class Invalid(NamedTuple):
    """A claimed job that can't be run, and why; its runner ends the lease as dead."""

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


def claim(runner: str, lease_seconds: float, want: int, connection: int = 1) -> Call[Claim]:
    """Lease up to ``want``, at most JOBS, of the oldest pending jobs to ``runner``.

    ``connection`` counts the runner's connections. None is leased once it has disowned over a newer one.
    """
    arguments: tuple[Argument, ...] = (runner, connection, lease_seconds, want, *LEASE_FIELDS)
    return Call("claim", arguments, _claimed(want), partial(_claim_from, runner), jobs=want)


def finish(runner: str, results: Sequence[tuple[Lease | Invalid, Outcome, str]]) -> Call[list[str]]:
    """End leases of ``runner`` with ``(lease, outcome, worker)`` each; gives each job's state now, or "stale"."""
    arguments: list[str | bytes | int] = [runner]
    for lease, outcome, worker in results:
        code = "" if outcome.exit_code is None else outcome.exit_code
        arguments += (
            *(lease.job_id, lease.fence, outcome.verdict, code, outcome.cause),
            *(outcome.detail.encode("utf-8", "replace"), f"{outcome.duration:.6f}", worker, f"{outcome.delay:.6f}"),
        )
    return Call("finish", tuple(arguments), many(text, exactly=len(results)), texts)


def disown(runner: str, connection: int, known: Sequence[Lease | Invalid]) -> Call[int]:
    """Put back what the runner's last claim gave it and is not among the ``known``; gives how many jobs.

    ``connection`` counts the runner's connections. Claims and disowns over older ones have no effect from then on.
    """
    pairs = [part for lease in known for part in (lease.job_id, lease.fence)]
    return Call("disown", (runner, connection, *pairs), count, int)


class Held(NamedTuple):
    """A lease whose job may have processes that can't be killed: as ``pid:start,...`` and in words."""

    job_id: str
    fence: int
    worker: str
    marks: str
    words: str


def note_unkillable(runner: str, notes: Sequence[Held]) -> Call[int]:
    """Note that processes of these jobs can't be killed, as long as the runner has their leases."""
    arguments: list[str | bytes | int] = [runner]
    for note in notes:
        arguments += (note.job_id, note.fence, note.marks, note.words.encode("utf-8", "replace"))
    return Call("unkillable", tuple(arguments), count, int)


def recover(dead_runners: Sequence[str], skip: int = 0, spare: Sequence[str] = ()) -> Call[tuple[int, int]]:
    """Free one chunk of the leases of dead runners, except for the jobs ``spare``.

    Gives what to pass as ``skip`` next (-1: done) and how many were freed.
    """
    return Call("recover", (skip, CHUNK, len(spare), *spare, *dead_runners), _RECOVERED, tuple)


def _lease(reply: Any) -> bool:
    return (
        type(reply) is list
        and len(reply) == 2 + len(LEASE_FIELDS)
        and job_id(reply[0])
        and count(reply[1])
        and texts_or_none(reply[2:])
    )


def _due(reply: Any) -> bool:
    return reply == b"" or seconds(reply)


_GIVEN = headed(word(b"ok", b"stopped"), _due, count, rest=_lease)
_NEWER = row(word(b"newer"), word(b""), count, text)
_RECOVERED = row(either(count, lambda reply: reply == -1), count)


def _claimed(want: int) -> Shape:
    return lambda reply: (_GIVEN(reply) and len(reply) <= 3 + want) or _NEWER(reply)


def _claim_from(runner: str, reply: Sequence[Any]) -> Claim:
    if reply[0] == b"newer":
        return Claim(False, None, reply[2], [], [], reply[3].decode("utf-8", "replace"))
    leases: list[Lease] = []
    invalid: list[Invalid] = []
    for values in reply[3:]:
        try:
            leases.append(lease_from(values, runner))
        except RecordInvalid as error:
            invalid.append(Invalid(values[0].decode(), values[1], f"not a valid job: {error.message}"))
    return Claim(reply[0] == b"stopped", due_from(reply[1]), reply[2], leases, invalid)
