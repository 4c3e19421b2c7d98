"""When two states are the same: equal except for names of jobs and runners, and for times within past or future.

We omit what the laws require to equal something else (indexes, look-up by id, counts), and what no script uses to
decide (reasons, exit codes, times, counts of a job that has ended). Everything known about a job is combined, so
the order of the jobs does not matter; we try runners in every order.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import permutations
from typing import Any

from queuectl.model.lifecycle import FINAL

from .clients import UP, Clients, Runner
from .records import Records


def identity(records: Records, clients: Clients) -> bytes:
    """Return a digest that equal states share."""
    shared = ("wake:default" in records.keys, records.stopped, records.silent)
    jobs = [(job, _of_job(job, records, clients)) for job in (*clients.jobs, *clients.removed)]
    keys = []
    for order in permutations(clients.runners):
        parts = sorted(repr((known, _held(job, order, records))) for job, known in jobs)
        keys.append(repr((shared, [_of_runner(runner, records) for runner in order], parts)))
    return blake2b(min(keys).encode(), digest_size=16).digest()


def _of_job(job: str, records: Records, clients: Clients) -> tuple[Any, ...]:
    hints = [place for place, hint in enumerate(records.content("jobs")) if hint == job]
    fields = records.jobs.get(job)
    if fields is None:
        return ("gone", hints)
    status = fields["status"]
    known = (status, hints, "ties" in fields, job in clients.promised, records.content("dead_letter").count(job))
    if status in FINAL:
        return known  # its counters are never read again
    ended = records.ended if status == "processing" else records.due if status == "failed" else []
    place = ended.index(job) if job in ended else -1
    return (
        *known,
        place,
        place >= 0 and job in records.expired,
        "cancel_requested" in fields,
        fields.get("attempts"),
        fields.get("crashes"),
    )


def _held(job: str, order: tuple[Runner, ...], records: Records) -> list[Any]:
    """Return who has a lease of this job, according to server and runners. All outdated leases are alike."""
    owner = records.jobs.get(job, {}).get("owner") if records.status(job) == "processing" else None
    return [
        (
            runner.name == owner,
            sorted(records.holds(lease) for lease in runner.knows if lease[0] == job),
            any(records.holds(lease) for lease in runner.disownable if lease[0] == job),
            sorted(
                result[2:] if records.holds(result[:2]) else () for result in runner.unheard if result[0] == job
            ),
        )
        for runner in order
    ]


def _of_runner(runner: Runner, records: Records) -> tuple[Any, ...]:
    return (
        runner.phase,
        runner.late is not None,
        runner.phase == UP and runner.connection > 1,  # a claim over an older one may come late
        runner.name in records.content("runners"),
        f"worker:{runner.name}-1" in records.keys,
        runner.phase != UP and f"control:{runner.name}" in records.keys,
    )
