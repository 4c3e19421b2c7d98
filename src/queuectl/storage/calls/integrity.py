"""Calls of `fsck`: check jobs and their entries in lists, and repair them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from queuectl.model.lifecycle import JobState
from queuectl.storage.scripts import Call, texts
from queuectl.storage.shapes import flag, many, repeated, text


def fsck_jobs(job_ids: Sequence[str], *, repair: bool) -> Call[list[tuple[str, str, bool]]]:
    """Check jobs, and repair them if asked to; gives id, problem, and whether it can be repaired."""
    return Call("fsck_jobs", ("1" if repair else "", *job_ids), _PROBLEMS, _problems_from, reads=not repair)


def fsck_hints(state: JobState, job_ids: Sequence[str], before: str, *, repair: bool) -> Call[list[str]]:
    """Which of these jobs, not found in their list, were pending or dead ``before``; put there if asked to."""
    return Call(
        "fsck_hints",
        ("1" if repair else "", state.value, before, *job_ids),
        many(text, most=len(job_ids)),
        texts,
        reads=not repair,
    )


_PROBLEMS = repeated(text, text, flag)


def _problems_from(flat: Sequence[Any]) -> list[tuple[str, str, bool]]:
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return [
        (job_id.decode("utf-8", "replace"), problem.decode("utf-8", "replace"), repairable == 1)
        for job_id, problem, repairable in rows
    ]
