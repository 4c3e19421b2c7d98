"""Calls about jobs: add, find, list, cancel, put back, remove.

`enqueue` is run by commands of a few milliseconds: what the others need is imported where they need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from queuectl.errors import RecordInvalid
from queuectl.options import ALWAYS, LEASE, OPTIONS, Retention, defaults, rules
from queuectl.storage import variables as environment
from queuectl.storage.scripts import CHUNK, Argument, Call, texts
from queuectl.storage.shapes import count, either, fields, many, row, seconds, text, word

if TYPE_CHECKING:
    from queuectl.model.job import Job
    from queuectl.model.lifecycle import JobState

_NO_FIELDS: Mapping[str, str | bytes] = {}

_ADDED = either(row(word(b"ok")), row(word(b"exists", b"newer"), text))
_ROW = row(text, text, fields)
_CLEARED = row(either(word(b""), seconds), count)


class NewJob(NamedTuple):
    """A job to add; its own ``fields`` of the hash win over those that all jobs of the call share.

    Options for the lease share one field: its own value repeats the shared ones that still apply.
    """

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

    @property
    def size(self) -> int:
        """How many records it has."""
        return len(self.jobs) + len(self.invalid)

    def followed_by(self, other: Page) -> Page:
        """Return both pages as one."""
        return Page(
            self.jobs + other.jobs,
            self.cursors + other.cursors,
            self.invalid + other.invalid,
            other.end or self.end,
        )


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
    settings = [option for option in OPTIONS.values() if option.configurable]
    packed = " ".join(option.name for option in settings if option.goes_to == LEASE)
    always = defaults(option for option in OPTIONS.values() if option.goes_to == ALWAYS)
    pairs = [part for pair in shared.items() for part in pair]
    arguments: list[Argument] = [environment.pack(variables or {}), rules(settings), packed]
    arguments += (len(always), *always, len(pairs), *pairs)
    for job in jobs:
        if job.fields:
            own = [part for pair in job.fields.items() for part in pair]
            arguments += (job.id, job.command, len(own), *own)
        else:
            arguments += (job.id, job.command, 0)
    return Call("enqueue", tuple(arguments), _ADDED, _taken_from)


def find(prefix: str, limit: int = 20) -> Call[list[str]]:
    """Ids that begin with ``prefix`` (4 characters or more), at most ``limit``."""
    return Call("find", (prefix, limit), many(text, most=limit), texts, reads=True)


def page(states: Sequence[JobState], limit: int, after: str = "") -> Call[Page]:
    """Up to ``limit`` jobs, JOBS at most, in these states, after the cursor that a page gave ("": the first page).

    Running jobs come first, by id; then jobs that wait for a retry, the soonest first; then all others, the latest
    change first, or, when all others are pending, the longest waiting first. Pages that follow each other hold
    every job that does not change its state in the meantime, and hold it once.
    """
    cursor = after.encode("utf-8", "surrogateescape")
    arguments = (limit, cursor, *(state.value for state in states))
    return Call("page", arguments, many(_ROW, most=limit), _page_from, reads=True, jobs=limit)


def watch(job_id: str) -> Call[str]:
    """Have the job's failures and its end published; gives its state now, "" when there is no such job."""
    return Call("watch", (job_id,), text, lambda state: state.decode("utf-8", "replace"))


def cancel(job_ids: Sequence[str]) -> Call[list[str]]:
    """Cancel jobs. Gives for each "cancelled", "requested" (it runs), "missing", or its final state."""
    return Call("cancel", tuple(job_ids), many(text, exactly=len(job_ids)), texts)


def clear(before: str = "") -> Call[tuple[str, int]]:
    """Cancel one chunk of pending jobs. Gives what to pass as ``before`` next, "" at the end, and how many."""
    return Call("clear", (before, CHUNK), _CLEARED, lambda reply: (reply[0].decode(), reply[1]))


def dlq_retry(job_ids: Sequence[str]) -> Call[list[str]]:
    """Put dead jobs back. Gives for each "retried", "missing", or the state it stays in."""
    return Call("dlq_retry", tuple(job_ids), many(text, exactly=len(job_ids)), texts)


def delete(state: JobState, job_ids: Sequence[str]) -> Call[list[str]]:
    """Remove those jobs that are in ``state``. Gives their ids."""
    return Call("delete", (state.value, *job_ids), many(text, most=len(job_ids)), texts)


def prune() -> Call[list[str]]:
    """Remove one chunk of finished jobs that are past their retention. Gives their ids."""
    retention = Retention.table.values()
    return Call("prune", (CHUNK, rules(retention), *defaults(retention)), many(text), texts)


def _taken_from(reply: Any) -> str:
    verdict, *about = texts(reply)
    if verdict == "newer":
        from queuectl.storage.replies import newer_schema

        raise newer_schema(about[0])
    return about[0] if verdict == "exists" else ""


def _page_from(reply: Sequence[Any]) -> Page:
    from queuectl.storage.codec import job_from, mapping

    page = Page([], [], [], "")
    for raw_cursor, raw_id, values in reply:
        cursor, job_id = raw_cursor.decode("utf-8", "surrogateescape"), raw_id.decode("ascii", "replace")
        page = page._replace(end=cursor)
        try:
            page.jobs.append(job_from(job_id, mapping(values)))
            page.cursors.append(cursor)
        except RecordInvalid as error:
            page.invalid.append((job_id, error.message))
    return page
