"""Calls about jobs: add, find, list, cancel, put back, remove.

`enqueue` is run by commands of a few milliseconds: what the others need is imported where they need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from queuectl.errors import BadConfiguration, RecordInvalid
from queuectl.options import OPTIONS, SETTING, Retention, settings_rows
from queuectl.storage import variables as environment
from queuectl.storage.scripts import CHUNK, Argument, Call, texts

if TYPE_CHECKING:
    from queuectl.model.job import Job
    from queuectl.model.lifecycle import JobState

_NO_FIELDS: Mapping[str, str | bytes] = {}


class NewJob(NamedTuple):
    """A job to add; its own ``fields`` of the hash win over those that all jobs of the call share."""

    id: str
    command: bytes
    fields: Mapping[str, str | bytes] = _NO_FIELDS


class Page(NamedTuple):
    """Some jobs in order with the cursor of each, and records that are no valid job, with the reason.

    ``end`` is the cursor of the last record: the next page goes on after it. "" when the page is empty.
    """

    jobs: list[Job]
    cursors: list[str]
    invalid: list[tuple[str, str]]
    end: str


def enqueue(
    jobs: Sequence[NewJob],
    *,
    shared: Mapping[str, str | bytes] = _NO_FIELDS,
    variables: Mapping[bytes, bytes] | None = None,
) -> Call[str]:
    """Add at most 1,000 jobs, all or none; gives "" or, when an id is taken and nothing was added, that id.

    A setting that neither a job nor ``shared`` has comes from the config hash, or is the default. ``variables`` are
    added to the environment of each job.
    """
    rows = settings_rows([name for name, option in OPTIONS.items() if option.goes_to == SETTING])
    pairs = [part for pair in shared.items() for part in pair]
    arguments: list[Argument] = [environment.pack(variables or {}), len(rows), *rows, len(pairs), *pairs]
    for job in jobs:
        if job.fields:
            own = [part for pair in job.fields.items() for part in pair]
            arguments += (job.id, job.command, len(own), *own)
        else:
            arguments += (job.id, job.command, 0)
    return Call("enqueue", tuple(arguments), _taken_from)


def find(prefix: str, limit: int = 20) -> Call[list[str]]:
    """Ids that begin with ``prefix`` (4 characters or more), at most ``limit``."""
    return Call("find", (prefix, limit), texts, reads=True)


def page(states: Sequence[JobState], limit: int, after: str = "") -> Call[Page]:
    """Up to ``limit`` jobs in these states, after the cursor that a page gave ("" for the first page).

    Running jobs come first, by id; then jobs that wait for a retry, the soonest first; then all others, the latest
    change first, or, when all others are pending, the longest waiting first. Pages that follow each other hold
    every job that does not change its state in the meantime, and hold it once.
    """
    cursor = after.encode("utf-8", "surrogateescape")
    return Call("page", (limit, cursor, *(state.value for state in states)), _page_from, reads=True)


def watch(job_id: str) -> Call[str]:
    """Have the job's failures and its end published; gives its state now, "" when there is no such job."""
    return Call("watch", (job_id,), bytes.decode)


def cancel(job_ids: Sequence[str]) -> Call[list[str]]:
    """Cancel jobs. Gives for each "cancelled", "requested" (it runs), "missing", or its final state."""
    return Call("cancel", tuple(job_ids), texts)


def clear(before: str = "") -> Call[tuple[str, int]]:
    """Cancel one chunk of pending jobs. Gives what to pass as ``before`` next, "" at the end, and how many."""
    return Call("clear", (before, CHUNK), lambda reply: (reply[0].decode(), int(reply[1])))


def dlq_retry(job_ids: Sequence[str]) -> Call[list[str]]:
    """Put dead jobs back. Gives for each "retried", "missing", or the state it stays in."""
    return Call("dlq_retry", tuple(job_ids), texts)


def delete(state: JobState, job_ids: Sequence[str]) -> Call[list[str]]:
    """Remove those jobs that are in ``state``. Gives their ids."""
    return Call("delete", (state.value, *job_ids), texts)


def prune() -> Call[list[str]]:
    """Remove one chunk of finished jobs that are past their retention. Gives their ids."""
    return Call("prune", (CHUNK, *settings_rows(list(Retention.table))), texts)


def _taken_from(reply: Any) -> str:
    match reply:
        case [b"ok"]:
            return ""
        case [b"exists", bytes(job_id)]:
            return job_id.decode("utf-8", "replace")
        case [b"newer", bytes(version)]:
            from queuectl.storage.replies import newer_schema

            raise newer_schema(version.decode("utf-8", "replace"))
    raise BadConfiguration("The server did not run the script: it is no Redis or Valkey that can serve.")


def _page_from(reply: Sequence[Any]) -> Page:
    from queuectl.storage.codec import job_from, mapping

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
