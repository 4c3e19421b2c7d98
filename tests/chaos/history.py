"""The history of one run, as recorded: events as JSON lines, and the jobs' own notes."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Event = dict[str, Any]
"""``at`` (Unix time in seconds), ``kind``, and what belongs to the kind."""


class Recorder:
    """Appends events to its own file; each process or thread that records events has one."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def note(self, kind: str, **facts: Any) -> None:
        """Record one event now."""
        self._file.write(json.dumps({"at": time.time(), "kind": kind, **facts}) + "\n")

    def close(self) -> None:
        self._file.close()


class Attempt(NamedTuple):
    """One execution of a job, by its own notes. ``exit_code`` is None if it never reached its end."""

    job_id: str
    number: int
    fence: int
    worker: str
    pid: int
    runner: int
    started: float
    last: float
    exit_code: int | None


class Fault(NamedTuple):
    """One fault. ``pids``: whom it hit; ``until``: when it was undone, else the same as ``at``."""

    name: str
    at: float
    until: float
    pids: frozenset[int] = frozenset()


class History(NamedTuple):
    """One run. ``kinds``: the acknowledged jobs, id -> kind; ``uncertain``: how many more there may be.

    ``volatile``: acknowledged jobs that a replica may not have had.
    ``left_out``: faults that this machine does not allow, and why.
    ``final``: the last check of the server, the folders and the processes (see `system.aftermath`).
    """

    kinds: dict[str, str]
    uncertain: int
    attempts: list[Attempt]
    faults: list[Fault]
    samples: list[Event]
    final: Event
    lease_seconds: float = 3.0
    drained_at: float = 0.0
    last_added_at: float = 0.0
    volatile: frozenset[str] = frozenset()
    left_out: Mapping[str, str] = {}
    bound_seconds: float = 60.0

    @property
    def loses_writes(self) -> bool:
        """Whether a replica took over, which may have missed the last moments of its primary."""
        return any(fault.name == "promote_replica" for fault in self.faults)

    @property
    def drain_seconds(self) -> float:
        """Seconds from the last fault's end, or the last job if that came later, until all was done."""
        return self.drained_at - max([self.last_added_at, *(fault.until for fault in self.faults)])

    def by_job(self) -> dict[str, list[Attempt]]:
        """Return the attempts of each job, by fence."""
        found: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in sorted(self.attempts, key=lambda a: (a.fence, a.started)):
            found[attempt.job_id].append(attempt)
        return found


def read(folder: Path) -> History:
    """Read the history of a run from the records in its folder."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    events = sorted((json.loads(line) for line in lines), key=lambda event: event["at"])
    notes = folder / "attempts"
    return from_events(events, notes.read_text().splitlines() if notes.exists() else [])


def from_events(events: list[Event], notes: Iterable[str]) -> History:
    """Build a history from its events, in order, and the lines that jobs wrote."""

    def of(kind: str) -> list[Event]:
        return [event for event in events if event["kind"] == kind]

    (run,), (drained,), (final,) = of("run"), of("drained"), of("final")
    healed = {event["number"]: event["at"] for event in of("healed")}
    return History(
        kinds={job_id: event["job"] for event in of("acknowledged") for job_id in event["ids"]},
        uncertain=sum(event["count"] for event in of("unacknowledged")),
        attempts=attempts_from(notes),
        faults=[
            Fault(
                e["name"], e.get("began", e["at"]), healed.get(e["number"], e["at"]), frozenset(e.get("pids", ()))
            )
            for e in of("fault")
        ],
        samples=of("sample"),
        final=final,
        lease_seconds=run["lease_seconds"],
        drained_at=drained["at"],
        left_out={name: why for event in of("left_out") for name, why in event["why"].items()},
        volatile=frozenset(
            job_id for event in of("acknowledged") if not event.get("durable", True) for job_id in event["ids"]
        ),
        last_added_at=max((event["at"] for event in of("acknowledged")), default=0.0),
        bound_seconds=run["bound_seconds"],
    )


def attempts_from(notes: Iterable[str]) -> list[Attempt]:
    """Parse executions from lines ``what id attempt fence worker pid runner nanoseconds code``."""
    found: dict[tuple[str, str, str], Attempt] = {}
    for line in notes:
        what, job_id, number, fence, worker, pid, runner, nanoseconds, code = line.split()
        at, key = int(nanoseconds) / 1e9, (job_id, fence, pid)
        if what == "start":
            found[key] = Attempt(job_id, int(number), int(fence), worker, int(pid), int(runner), at, at, None)
        elif what == "alive":
            found[key] = found[key]._replace(last=at)
        else:
            found[key] = found[key]._replace(last=at, exit_code=int(code))
    return list(found.values())
