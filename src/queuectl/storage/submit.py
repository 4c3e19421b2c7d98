"""The call that adds jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from queuectl.errors import BadConfiguration
from queuectl.options import OPTIONS, SETTING, settings_rows
from queuectl.storage import variables as environment
from queuectl.storage.scripts import Argument, Call

_NO_FIELDS: Mapping[str, str | bytes] = {}


class NewJob(NamedTuple):
    """A job to add; ``fields`` of the hash are its own and stand above those that all jobs of the call share."""

    id: str
    command: bytes
    fields: Mapping[str, str | bytes] = _NO_FIELDS


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
