"""The figures of a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .checker import Violation
from .history import History
from .overlaps import overlaps


def figures(history: History, violations: list[Violation]) -> dict[str, Any]:
    """Return the figures of a run to print and report."""
    jobs = history.final["jobs"]
    found = overlaps(history)
    again = sum(len(attempts) - len({a.number for a in attempts}) for attempts in history.by_job().values())
    return {
        "jobs": len(history.kinds),
        "attempts": len(history.attempts),
        "faults": dict(Counter(fault.name for fault in history.faults)),
        "lost": sum(job_id not in jobs for job_id in history.kinds),
        "uncertain": history.uncertain,
        "states": dict(Counter(job["status"] for job in jobs.values())),
        "overlaps": {
            why: {"count": len(seconds), "longest_seconds": round(max(seconds), 3)}
            for why in sorted({overlap.why for overlap in found})
            if (seconds := [overlap.seconds for overlap in found if overlap.why == why])
        },
        "repeated": again,
        "crashes": sum(int(job.get("crashes") or 0) for job in jobs.values()),
        "samples": len(history.samples),
        "drain_seconds": round(history.drain_seconds, 1),
        "violations": [violation._asdict() for violation in violations],
    }


def line(found: dict[str, Any]) -> str:
    """Return the same on one line."""
    faults = sum(found["faults"].values())
    double = ", ".join(
        f"{entry['count']} {why or 'unexplained'} (longest {entry['longest_seconds']:g} s)"
        for why, entry in found["overlaps"].items()
    )
    return (
        f"{found['jobs']} jobs, {faults} faults, {found['lost']} lost, overlaps: {double or 'none'}, "
        f"{found['repeated']} attempts repeated, {found['crashes']} crashes counted, "
        f"drained in {found['drain_seconds']:g} s, {len(found['violations'])} violations"
    )
