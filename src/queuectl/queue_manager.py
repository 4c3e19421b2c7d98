"""The use cases of the queue: enqueue, find, cancel, list, watch over workers, configure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from queuectl.environment import capture, current_directory
from queuectl.errors import AmbiguousId, InvalidInput, JobNotFound
from queuectl.model import limits
from queuectl.model.config import ENQUEUE_DEFAULTS, SETTINGS
from queuectl.model.job import EXEC, SHELL, Job
from queuectl.model.lifecycle import JobState
from queuectl.model.worker import WorkerInfo
from queuectl.storage import RedisStorage
from queuectl.storage.calls import CHUNK, Page, Position
from queuectl.storage.codec import number_text

ID_BYTES = 8
"""Random bytes in an id: with a million jobs, one new id in ten billion is taken, and then drawn again."""

SHORTEST_PREFIX = 4
DIGITS = frozenset("0123456789abcdef")


class JobOptions(NamedTuple):
    """A job's own wishes; ``None`` leaves a value to the queue's configuration. Times in seconds."""

    timeout: float | None = None
    max_retries: int | None = None
    backoff_base: float | None = None
    backoff_factor: float | None = None

    def fields(self) -> dict[str, str | bytes]:
        """The fields of the hash that are set; InvalidInput for a value out of bounds."""
        return {
            name: number_text(SETTINGS[name].check(value))
            for name, value in self._asdict().items()
            if value is not None
        }


class Status(NamedTuple):
    """The whole system at one moment."""

    jobs: dict[JobState, int]
    workers: list[WorkerInfo]
    stopped: bool
    set_aside: int


class QueueManager:
    """What can be done with a queue. Ids may be given as any unique prefix of 4 characters or more."""

    def __init__(self, storage: RedisStorage) -> None:
        self.storage = storage

    # Enqueue --------------------------------------------------------------------------------------

    def enqueue(self, command: bytes | Sequence[bytes], options: JobOptions = JobOptions()) -> str:
        """Add one command: a string for the shell, or a list of arguments that is run without one.

        It will run in the current directory. Gives the new job's id.
        """
        if isinstance(command, bytes):
            return next(self.enqueue_many([command], options))[0]
        if any(b"\0" in argument for argument in command):
            raise InvalidInput("the command has a NUL byte, which no program can be given")
        return next(self.enqueue_many([b"\0".join(command)], options, form=EXEC))[0]

    def enqueue_many(
        self, commands: Sequence[bytes], options: JobOptions = JobOptions(), *, form: str = SHELL
    ) -> Iterator[list[str]]:
        """Add many commands: all are checked before the first is added, then they go in chunks.

        Yields the ids of each chunk once the server has acknowledged it, in the order of ``commands``.
        """
        for number, command in enumerate(commands, 1):
            try:
                limits.command(command, form)
            except InvalidInput as error:
                if len(commands) > 1:
                    raise InvalidInput(f"command {number}: {error.message}", error.hint) from None
                raise
        fields = options.fields() | {"queue": "default", "cwd": current_directory()}
        if form != SHELL:
            fields["form"] = form
        variables = capture()
        for start in range(0, len(commands), CHUNK):
            yield self._add(commands[start : start + CHUNK], fields, variables)

    def _add(
        self, commands: Sequence[bytes], fields: Mapping[str, str | bytes], variables: Mapping[bytes, bytes]
    ) -> list[str]:
        while True:
            random = os.urandom(ID_BYTES * len(commands)).hex()
            ids = [random[at : at + 2 * ID_BYTES] for at in range(0, len(random), 2 * ID_BYTES)]
            jobs = list(zip(ids, commands, strict=True))
            if not self.storage.enqueue(jobs, defaults=ENQUEUE_DEFAULTS, options=fields, variables=variables):
                return ids

    # Look -----------------------------------------------------------------------------------------

    def resolve(self, prefix: str) -> str:
        """The full id that ``prefix`` stands for; JobNotFound or AmbiguousId."""
        wanted = prefix.strip().lower()
        if not wanted or not DIGITS.issuperset(wanted) or len(wanted) > 32:
            raise JobNotFound(
                f"{prefix[:40]!r} is not a job id",
                "Ids are hexadecimal, such as 9fa21c07. See: queuectl list",
            )
        if len(wanted) < SHORTEST_PREFIX:
            raise JobNotFound(f"the id {wanted} is too short", f"Give at least {SHORTEST_PREFIX} characters of it.")
        found = self.storage.find(wanted)
        if not found:
            raise JobNotFound(f"there is no job {wanted}", "See: queuectl list")
        if len(found) > 1:
            raise AmbiguousId(f"{wanted} fits {len(found)} jobs", "Which one? " + " ".join(sorted(found)))
        return found[0]

    def job(self, prefix: str) -> Job:
        """One job."""
        job_id = self.resolve(prefix)
        job = self.storage.job(job_id)
        if job is None:
            raise JobNotFound(f"job {job_id} was removed", "See: queuectl list")
        return job

    def page(self, states: Sequence[JobState] = (), limit: int = 50, after: Position | None = None) -> Page:
        """Jobs in these states (all when none are given), those that changed last first."""
        return self.storage.page(states or list(JobState), limit, after)

    def status(self) -> Status:
        """Counts, workers, and whether the stop signal is set."""
        overview = self.storage.overview()
        workers = self.storage.workers(overview.workers)
        return Status(overview.jobs, sorted(workers), overview.stopped, overview.set_aside)

    # End ------------------------------------------------------------------------------------------

    def cancel(self, prefix: str) -> tuple[str, str]:
        """Cancel one job. Gives its id, and "cancelled", "requested" (its worker was told) or its final state."""
        job_id = self.resolve(prefix)
        return job_id, self.storage.cancel([job_id])[0]

    def clear(self) -> int:
        """Cancel all jobs that are pending now. Gives how many there were."""
        before, total, count = "", 0, CHUNK
        while count == CHUNK:
            before, count = self.storage.clear(before)
            total += count
        return total

    # Workers --------------------------------------------------------------------------------------

    def stop_workers(self) -> int:
        """Tell all workers, on all hosts, to finish their job and end. Gives how many were told."""
        return self.storage.stop()

    def resume_workers(self) -> bool:
        """Take the stop signal back. Gives whether it was set."""
        return self.storage.resume()

    # Configuration --------------------------------------------------------------------------------

    def config(self) -> dict[str, tuple[float, bool]]:
        """Each setting's value, and whether it was set (else it is the default)."""
        stored = self.storage.config()
        values: dict[str, tuple[float, bool]] = {}
        for name, setting in SETTINGS.items():
            try:
                values[name] = (setting.check(stored[name]), True)
            except (KeyError, InvalidInput):  # never set, or written by something else: scripts ignore it too
                values[name] = (setting.default, False)
        return values

    def configure(self, changes: Mapping[str, float]) -> None:
        """Change settings; all are checked before the first is written."""
        self.storage.set_config({name: number_text(SETTINGS[name].check(value)) for name, value in changes.items()})

    def reset_config(self) -> None:
        """Take all settings back to their defaults."""
        self.storage.reset_config()
