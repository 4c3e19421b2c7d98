"""Which jobs a user means."""

from __future__ import annotations

from queuectl.errors import AmbiguousId, JobNotFound
from queuectl.model.job_id import DIGITS, LONGEST, SHORTEST
from queuectl.storage import RedisStorage
from queuectl.storage.calls import jobs


def resolve(storage: RedisStorage, prefix: str) -> str:
    """The full id of the job that ``prefix`` (4 characters or more) stands for; JobNotFound or AmbiguousId."""
    wanted = prefix.strip().lower()
    if not wanted or not DIGITS.issuperset(wanted) or len(wanted) > LONGEST:
        raise JobNotFound(
            f"No job id looks like {prefix[:40]!r}.",
            "Ids are hexadecimal, such as 9fa21c07. See: queuectl list",
        )
    if len(wanted) < SHORTEST:
        raise JobNotFound(f"The id {wanted} is too short.", f"Give at least {SHORTEST} characters of it.")
    # Another program may have put something into the table of prefixes that is no id.
    found = [job_id for job_id in storage.run(jobs.find(wanted)) if DIGITS.issuperset(job_id)]
    if not found:
        raise JobNotFound(f"There is no job {wanted}.", "See: queuectl list")
    if len(found) > 1:
        raise AmbiguousId(f"The id {wanted} fits {len(found)} jobs.", "Which one? " + " ".join(sorted(found)))
    return found[0]
