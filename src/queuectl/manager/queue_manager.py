"""The use cases of the queue: add jobs, show them, cancel them.

A short command that adds one job runs all of this module: what only the other use cases need is imported by them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from queuectl.errors import (
    InvalidInput,
    JobNotFound,
    NotAServer,
    NotYetSafe,
    QueuectlError,
    RecordInvalid,
    ServerUnreachable,
)
from queuectl.manager.environment import capture, current_directory
from queuectl.model.command import EXEC, SHELL, check, joined
from queuectl.model.queue import DEFAULT_QUEUE
from queuectl.options import JobOptions
from queuectl.storage.calls import jobs
from queuectl.storage.scripts import CHUNK

if TYPE_CHECKING:
    from queuectl.manager.status import Status
    from queuectl.manager.watch import Watch
    from queuectl.model.job import Job
    from queuectl.model.lifecycle import JobState
    from queuectl.storage import RedisStorage

T = TypeVar("T")
OnAdded = Callable[[list[str]], object]
OnWait = Callable[[QueuectlError], None]

Work = bytes | tuple[bytes, JobOptions]
"""A command, or one with options of its own."""

BATCH = 1_000
"""Jobs that one call adds at most: about 10 ms of the server's time."""

LARGEST_PAGE = CHUNK
"""Jobs that one call lists at most."""

RECONNECT_SECONDS = 0.25
"""Between two tries to reach a server, when a caller wants to wait for it."""

NO_OPTIONS = JobOptions()

ID_BYTES = 8
"""Random bytes in an id: with a million jobs, one new id in ten billion is taken, and then drawn again."""

DRAWS = 10
"""How often ids are drawn until the server can't be believed."""


class QueueManager:
    """What can be done with a queue.

    Ids may be given as any unique prefix of 4 characters or more. Where a method takes ``on_wait``, it waits for a
    server that can't be reached, however long that takes, and calls ``on_wait`` when such a wait begins; without it
    the method raises `ServerUnreachable`.
    """

    def __init__(self, storage: RedisStorage) -> None:
        self._storage = storage

    # Add ------------------------------------------------------------------------------------------

    def enqueue(
        self,
        command: bytes | list[bytes],
        options: JobOptions = NO_OPTIONS,
        *,
        durable: bool = False,
        on_added: OnAdded = lambda ids: None,
        on_wait: OnWait | None = None,
    ) -> str:
        """Add one command: a string for the shell, or a list of arguments that is run without one.

        It will run in the current directory. Gives the new job's id. For the rest see `enqueue_many`.
        """
        text, form = (command, SHELL) if isinstance(command, bytes) else (joined(command), EXEC)
        ids = self.enqueue_many([text], options, form=form, durable=durable, on_added=on_added, on_wait=on_wait)
        return ids[0]

    def enqueue_many(
        self,
        commands: Sequence[Work],
        options: JobOptions = NO_OPTIONS,
        *,
        form: str = SHELL,
        durable: bool = False,
        on_added: OnAdded = lambda ids: None,
        on_wait: OnWait | None = None,
    ) -> list[str]:
        """Add many commands: all are checked before the first is added, then they go in chunks.

        A command may have options of its own; each of these overrides the same one of ``options``, which all share.
        ``on_added`` gets the ids of each chunk once the server has acknowledged it. Gives all ids, in the order of
        ``commands``. ``durable``: wait until they are on the server's disk and on its replicas. Raises
        BadConfiguration before anything is added if the server can't tell that, and NotYetSafe after all were added
        if it is not certain.
        """
        for number, work in enumerate(commands, 1):
            try:
                check(work if isinstance(work, bytes) else work[0], form)
            except InvalidInput as error:
                if len(commands) > 1:
                    raise InvalidInput(f"Command {number}: {error.message}", error.hint) from None
                raise
        if durable:
            self._check_durable(on_wait)  # now, since a second try would add them twice
        fields: dict[str, str | bytes] = {"queue": DEFAULT_QUEUE, "cwd": current_directory(), **options.fields()}
        if form != SHELL:
            fields["form"] = form
        variables = capture()
        added: list[str] = []
        for start in range(0, len(commands), BATCH):
            ids = self._add(commands[start : start + BATCH], options, fields, variables, on_wait)
            added += ids
            on_added(ids)
        if durable:
            self._make_durable()
        return added

    def _check_durable(self, on_wait: OnWait | None) -> None:
        from queuectl.storage.durability import check_durable

        _reached(partial(check_durable, self._storage), on_wait)

    def _make_durable(self) -> None:
        from queuectl.manager.config import QueueConfig
        from queuectl.storage.durability import make_durable

        replicas, _ = QueueConfig(self._storage).values()["durable_replicas"]
        if doubt := make_durable(self._storage, int(replicas)):
            raise NotYetSafe(
                f"Added, but not yet safe: {doubt}.",
                "It will run all the same; adding it again would run it twice. See: queuectl config show",
            )

    def _add(
        self,
        commands: Sequence[Work],
        options: JobOptions,
        fields: Mapping[str, str | bytes],
        variables: Mapping[bytes, bytes],
        on_wait: OnWait | None,
    ) -> list[str]:
        for _ in range(DRAWS):
            random = os.urandom(ID_BYTES * len(commands)).hex()
            ids = [random[at : at + 2 * ID_BYTES] for at in range(0, len(random), 2 * ID_BYTES)]
            new = [_new_job(job_id, work, options, fields) for job_id, work in zip(ids, commands, strict=True)]
            call = jobs.enqueue(new, shared=fields, variables=variables)
            taken, again = _reached(partial(self._storage.run, call), on_wait)
            # Ids that are taken at a second try are our own: the first did arrive, and only its answer was lost.
            if not taken or again:
                return ids
        raise NotAServer(
            f"The server says {DRAWS} times in a row that new, random ids are taken: nothing was added.",
            "It can't serve as a queue. Where its address comes from: queuectl config show --origin",
        )

    # Show -----------------------------------------------------------------------------------------

    def job(self, prefix: str) -> Job:
        """One job."""
        from queuectl.manager.selection import resolve
        from queuectl.storage import reads

        job_id = resolve(self._storage, prefix)
        try:
            job = reads.job(self._storage, job_id)
        except RecordInvalid as error:
            raise damaged(job_id, error.message) from None
        if job is None:
            raise JobNotFound(f"Job {job_id} was removed.", "See: queuectl list")
        return job

    def page(self, states: Sequence[JobState] = (), limit: int = 50, after: str = "") -> jobs.Page:
        """Jobs in these states (all when none are given), in the order of `calls.jobs.page`."""
        from queuectl.model.lifecycle import JobState
        from queuectl.storage.reads import page

        return page(self._storage, states or list(JobState), limit, after)

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        from queuectl.storage.calls.workers import overview

        return self._storage.run(overview()).jobs

    def status(self) -> Status:
        """Counts, workers, the pace, and whether the stop signal is set."""
        from queuectl.manager.status import read_status

        return read_status(self._storage)

    def watch(
        self, job_ids: Sequence[str], *, patience_seconds: float, on_wait: OnWait = lambda error: None
    ) -> Watch:
        """Follow what happens to these jobs, by their full ids, on connections of their own; see `Watch`."""
        from queuectl.manager.watch import Watch

        return Watch(self._storage.settings, job_ids, patience_seconds=patience_seconds, on_wait=on_wait)

    # Cancel ---------------------------------------------------------------------------------------

    def cancel(self, prefix: str) -> tuple[str, str]:
        """Cancel one job.

        Gives its id, and "cancelled", "requested" (its worker was told), "unkillable" (its worker was told, and
        could not kill it before) or its final state.
        """
        from queuectl.manager.selection import resolve
        from queuectl.model.cause import UNKILLABLE
        from queuectl.model.lifecycle import JobState

        job_id = resolve(self._storage, prefix)
        answer = self._storage.run(jobs.cancel([job_id]))[0]
        if answer == "missing":
            raise JobNotFound(f"Job {job_id} was removed.", "See: queuectl list")
        if answer not in {"cancelled", "requested", *JobState}:
            raise damaged(job_id, f"its state {answer[:40]!r} is unknown")
        if answer == "requested" and self._is_unkillable(job_id):
            answer = UNKILLABLE
        return job_id, answer

    def _is_unkillable(self, job_id: str) -> bool:
        from queuectl.model.cause import UNKILLABLE
        from queuectl.storage import reads

        try:
            job = reads.job(self._storage, job_id)
        except RecordInvalid:
            return False
        return job is not None and job.cause == UNKILLABLE

    def clear(self) -> int:
        """Cancel all jobs that are pending now. Gives how many there were."""
        before, total = self._storage.run(jobs.clear())
        while before:
            before, count = self._storage.run(jobs.clear(before))
            total += count
        return total


def _new_job(job_id: str, work: Work, options: JobOptions, fields: Mapping[str, str | bytes]) -> jobs.NewJob:
    """A job to add beside others that share ``options``, and so ``fields`` of the hash."""
    if isinstance(work, bytes):
        return jobs.NewJob(job_id, work)
    command, own = work
    given = (options | own).fields().items()
    return jobs.NewJob(job_id, command, {name: value for name, value in given if fields.get(name) != value})


def _reached(call: Callable[[], T], on_wait: OnWait | None) -> tuple[T, bool]:
    """What ``call`` gives, and whether it took more than one try; see `QueueManager` for ``on_wait``."""
    again = False
    while True:
        try:
            return call(), again
        except ServerUnreachable as error:
            if on_wait is None:
                raise
            if not again:
                on_wait(error)
            again = True
            time.sleep(RECONNECT_SECONDS)


def damaged(job_id: str, why: str) -> RecordInvalid:
    """Return the error for a hash that is no job."""
    return RecordInvalid(
        f"The record of job {job_id} is damaged: {why}.",
        "It can't be run. Something other than queuectl wrote to its hash.",
    )
