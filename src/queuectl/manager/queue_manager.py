"""The use cases of the queue: enqueue, find, list, cancel, configure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from queuectl.errors import AmbiguousId, InvalidInput, JobNotFound, RecordInvalid
from queuectl.manager.producer import Producer
from queuectl.manager.status import Status
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.options import SETTINGS, JobOptions
from queuectl.storage import RedisStorage
from queuectl.storage.calls import Page

__all__ = ["JobOptions", "QueueManager", "Status"]

DAMAGED_HINT = "It can't be run. Something other than queuectl wrote to its hash."
SHORTEST_PREFIX = 4
CANCEL_ANSWERS = frozenset(["cancelled", "requested", *JobState])
DIGITS = frozenset("0123456789abcdef")
NUMERALS = frozenset("0123456789.e+-")


class QueueManager(Producer):
    """What can be done with a queue: what a producer does, and the rest.

    Ids may be given as any unique prefix of 4 characters or more.
    """

    def __init__(self, storage: RedisStorage) -> None:
        super().__init__(storage)
        self.storage = storage

    # Look -----------------------------------------------------------------------------------------

    def resolve(self, prefix: str) -> str:
        """The full id that ``prefix`` stands for; JobNotFound or AmbiguousId."""
        wanted = prefix.strip().lower()
        if not wanted or not DIGITS.issuperset(wanted) or len(wanted) > 32:
            raise JobNotFound(
                f"No job id looks like {prefix[:40]!r}.",
                "Ids are hexadecimal, such as 9fa21c07. See: queuectl list",
            )
        if len(wanted) < SHORTEST_PREFIX:
            raise JobNotFound(
                f"The id {wanted} is too short.", f"Give at least {SHORTEST_PREFIX} characters of it."
            )
        # A stranger may have put something into the table of prefixes that is no id.
        found = [job_id for job_id in self.storage.find(wanted) if DIGITS.issuperset(job_id)]
        if not found:
            raise JobNotFound(f"There is no job {wanted}.", "See: queuectl list")
        if len(found) > 1:
            raise AmbiguousId(f"The id {wanted} fits {len(found)} jobs.", "Which one? " + " ".join(sorted(found)))
        return found[0]

    def job(self, prefix: str) -> Job:
        """One job."""
        job_id = self.resolve(prefix)
        try:
            job = self.storage.job(job_id)
        except RecordInvalid as error:
            raise RecordInvalid(f"The record of job {job_id} is damaged: {error.message}.", DAMAGED_HINT) from None
        if job is None:
            raise JobNotFound(f"Job {job_id} was removed.", "See: queuectl list")
        return job

    def page(self, states: Sequence[JobState] = (), limit: int = 50, after: str = "") -> Page:
        """Jobs in these states (all when none are given), in the order of `RedisStorage.page`."""
        return self.storage.page(states or list(JobState), limit, after)

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        return self.storage.overview().jobs

    def status(self) -> Status:
        """Counts, workers, the pace, and whether the stop signal is set."""
        overview = self.storage.overview()
        workers = self.storage.workers(overview.workers)
        return Status(overview.jobs, sorted(workers), overview.stopped, overview.set_aside, self.storage.activity())

    def make_durable(self) -> str:
        """Wait until what was added is on the server's disk. Gives "" then, or why that is not certain."""
        return self.storage.make_durable()

    # End ------------------------------------------------------------------------------------------

    def cancel(self, prefix: str) -> tuple[str, str]:
        """Cancel one job. Gives its id, and "cancelled", "requested" (its worker was told) or its final state."""
        job_id = self.resolve(prefix)
        answer = self.storage.cancel([job_id])[0]
        if answer == "missing":
            raise JobNotFound(f"Job {job_id} was removed.", "See: queuectl list")
        if answer not in CANCEL_ANSWERS:
            why = f"it is in no state that there is: {answer[:40]!r}"
            raise RecordInvalid(f"The record of job {job_id} is damaged: {why}.", DAMAGED_HINT)
        return job_id, answer

    def clear(self) -> int:
        """Cancel all jobs that are pending now. Gives how many there were."""
        before, total = self.storage.clear()
        while before:
            before, count = self.storage.clear(before)
            total += count
        return total

    # Configuration --------------------------------------------------------------------------------

    def config(self) -> dict[str, tuple[float, bool]]:
        """Each setting's value, and whether it was set (else it is the default)."""
        stored = self.storage.config()
        values: dict[str, tuple[float, bool]] = {}
        for name, setting in SETTINGS.items():
            text = stored.get(name, "")
            try:
                value = setting.read(text)
            except InvalidInput:
                text = ""
            # Never set, or written by something else: scripts ignore it too, so '0x10' and ' 3' as well.
            in_force = bool(text) and NUMERALS.issuperset(text)
            values[name] = (value, True) if in_force else (setting.default, False)
        return values

    def configure(self, changes: Mapping[str, object]) -> None:
        """Change settings; all are checked before the first is written."""
        self.storage.set_config(
            {name: SETTINGS[name].kind.text(SETTINGS[name].read(value)) for name, value in changes.items()}
        )

    def reset_config(self) -> None:
        """Take all settings back to their defaults."""
        self.storage.reset_config()
