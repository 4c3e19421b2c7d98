"""Hands commands over to the queue."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from queuectl.errors import InvalidInput, ServerUnreachable
from queuectl.manager.environment import capture, current_directory
from queuectl.model.command import EXEC, SHELL, check, joined
from queuectl.model.queue import DEFAULT_QUEUE
from queuectl.options import JobOptions
from queuectl.storage.submit import NewJob, enqueue

if TYPE_CHECKING:
    from queuectl.storage.session import Session

T = TypeVar("T")

BATCH = 1_000
"""Jobs that one call adds at most: about 10 ms of the server's time."""

PATIENT_SECONDS = 0.25
"""Between two tries to reach a server that is waited for."""

NO_OPTIONS = JobOptions()

ID_BYTES = 8
"""Random bytes in an id: with a million jobs, one new id in ten billion is taken, and then drawn again."""


class Producer:
    """Adds jobs to the queue of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    patient = False
    """Whether to wait for a server that can't be reached, however long that takes."""

    on_wait: Callable[[ServerUnreachable], None] | None = None
    """Called when such a wait begins."""

    def check_durable(self) -> None:
        """Make sure that what is added can be made durable; BadConfiguration if the server can't do that."""
        self._patiently(self._session.check_durable)

    def enqueue(self, command: bytes | list[bytes], options: JobOptions = NO_OPTIONS) -> str:
        """Add one command: a string for the shell, or a list of arguments that is run without one.

        It will run in the current directory. Gives the new job's id.
        """
        if isinstance(command, bytes):
            return next(self.enqueue_many([command], options))[0]
        return next(self.enqueue_many([joined(command)], options, form=EXEC))[0]

    def enqueue_many(
        self, commands: Sequence[bytes], options: JobOptions = NO_OPTIONS, *, form: str = SHELL
    ) -> Iterator[list[str]]:
        """Add many commands: all are checked before the first is added, then they go in chunks.

        Yields the ids of each chunk once the server has acknowledged it, in the order of ``commands``.
        """
        for number, command in enumerate(commands, 1):
            try:
                check(command, form)
            except InvalidInput as error:
                if len(commands) > 1:
                    raise InvalidInput(f"Command {number}: {error.message}", error.hint) from None
                raise
        fields: dict[str, str | bytes] = {**options.fields(), "queue": DEFAULT_QUEUE, "cwd": current_directory()}
        if form != SHELL:
            fields["form"] = form
        variables = capture()
        for start in range(0, len(commands), BATCH):
            yield self._add(commands[start : start + BATCH], fields, variables)

    def _add(
        self, commands: Sequence[bytes], fields: Mapping[str, str | bytes], variables: Mapping[bytes, bytes]
    ) -> list[str]:
        while True:
            random = os.urandom(ID_BYTES * len(commands)).hex()
            ids = [random[at : at + 2 * ID_BYTES] for at in range(0, len(random), 2 * ID_BYTES)]
            jobs = [NewJob(job_id, command) for job_id, command in zip(ids, commands, strict=True)]

            def add(jobs: Sequence[NewJob] = jobs) -> str:
                return self._session.run(enqueue(jobs, shared=fields, variables=variables))

            taken, again = self._patiently(add)
            # Ids that are taken at a second try are our own: the first did arrive, and only its answer was lost.
            if not taken or again:
                return ids

    def _patiently(self, call: Callable[[], T]) -> tuple[T, bool]:
        """What ``call`` gives, once the server can be reached; and whether it took more than one try."""
        again = False
        while True:
            try:
                return call(), again
            except ServerUnreachable as error:
                if not self.patient:
                    raise
                if not again and self.on_wait is not None:
                    self.on_wait(error)
                again = True
                time.sleep(PATIENT_SECONDS)
