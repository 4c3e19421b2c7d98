"""Listens to jobs: their failures and their ends, as the server announces them."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from queuectl.model.job import Job
from queuectl.settings import Settings
from queuectl.storage.calls import jobs
from queuectl.storage.client import Connection
from queuectl.storage.codec import job_from, mapping
from queuectl.storage.connect import open_connection
from queuectl.storage.keys import Keys
from queuectl.storage.parser import MOST_BYTES
from queuectl.storage.replies import error_from, unknown_reply
from queuectl.storage.scripts import CHUNK, JOB_BYTES, Command, command
from queuectl.storage.shapes import Shape, count, either, fields, nothing, row, text

T = TypeVar("T")

States = dict[str, str]
"""Job id to state; "" if there is no such job."""


MESSAGES = 1_000
"""The most announcements at once, and as many more for each job: a job has one for each attempt."""

_MESSAGE = row(text, text, either(text, count))


class Watcher:
    """Two connections, whatever the number of jobs: one hears what is announced, the other asks.

    All methods raise `ServerUnreachable` if a connection is lost; then close it. `manager.watch` waits for the
    server and opens another one.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = Keys(settings.namespace)
        self._hears = open_connection(settings)
        try:
            self._asks = open_connection(settings)
        except BaseException:
            self._hears.close()
            raise
        self._asks.most_bytes = MOST_BYTES + JOB_BYTES
        self._most = MESSAGES
        # Not select.select: it can't take descriptors from 1,024 on.
        self._poll = select.poll()
        self._poll.register(self._hears, select.POLLIN)

    def watch(self, job_ids: Sequence[str]) -> States:
        """Listen to these jobs from now on; return their states.

        It subscribes first and then asks, so that it sees an end in between twice rather than never.
        """
        for ids in _chunks(job_ids):
            orders: list[Command] = [("SSUBSCRIBE", self._keys.done(job_id)) for job_id in ids]
            self._checked(self._hears, orders, _MESSAGE)
        self._most = MESSAGES * (1 + len(job_ids))
        # The server knows the script by its digest once the first command has run.
        orders = [self._order(job_id, cached=number > 0) for number, job_id in enumerate(job_ids)]
        return self._states(job_ids, orders)

    def states(self, job_ids: Sequence[str]) -> States:
        """Ask for the states of these jobs."""
        return self._states(job_ids, [("HGET", self._keys.job(job_id), "status") for job_id in job_ids])

    def hear(self, seconds: float) -> Iterator[tuple[str, str]]:
        """Wait for an announcement, at most ``seconds``; yield job id and state of each that came."""
        replies = self._hears.receive(self._most)  # what came with the answer to a subscription
        if not replies and self._poll.poll(seconds * 1000):
            replies = self._hears.receive(self._most)
        start = len(self._keys.done(""))
        for reply in replies:
            if not _MESSAGE(reply):
                raise unknown_reply(str(self._hears.url), "SSUBSCRIBE", reply)
            kind, channel, state = reply
            if kind == b"smessage":
                yield channel[start:].decode("utf-8", "replace"), state.decode("utf-8", "replace")

    def job(self, job_id: str) -> Job | None:
        """Read a job; RecordInvalid if its hash is no job."""
        (flat,) = self._checked(self._asks, [("HGETALL", self._keys.job(job_id))], fields)
        return job_from(job_id, mapping(flat)) if flat else None

    def close(self) -> None:
        """Stop listening."""
        self._hears.close()
        self._asks.close()

    def _order(self, job_id: str, *, cached: bool) -> Command:
        return command(jobs.watch(job_id), self._keys.namespace, cached=cached)

    def _states(self, job_ids: Sequence[str], orders: Sequence[Command]) -> States:
        shape = either(text, nothing)
        replies = [reply for some in _chunks(orders) for reply in self._checked(self._asks, some, shape)]
        return {
            job_id: (state or b"").decode("utf-8", "replace")
            for job_id, state in zip(job_ids, replies, strict=True)
        }

    def _checked(self, connection: Connection, orders: Sequence[Command], shape: Shape) -> list[Any]:
        replies = connection.exchange(orders)
        for order, reply in zip(orders, replies, strict=True):
            if isinstance(reply, Exception):
                raise error_from(reply)
            if not shape(reply):
                raise unknown_reply(str(connection.url), str(order[0]), reply)
        return replies


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
