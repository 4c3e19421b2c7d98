"""What all commands share: settings and managers, created on first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from queuectl.manager.config import QueueConfig
    from queuectl.manager.connection import Storage
    from queuectl.manager.dead_letter import DeadLetterQueue
    from queuectl.manager.queue_manager import QueueManager
    from queuectl.manager.workers import Workers
    from queuectl.settings import Settings


class App:
    """One run of the command line. It reads and connects nothing before a command needs it."""

    def __init__(self, redis_url: str | None, namespace: str | None, insecure_redis: bool) -> None:
        self._redis_url = redis_url
        self._namespace = namespace
        self._insecure_redis = insecure_redis

    def given_options(self) -> list[str]:
        """Return this run's global options for commands in hints, without a password."""
        words = []
        if self._redis_url is not None:
            from queuectl.manager.connection import without_password

            words += ["--redis-url", without_password(self._redis_url)]
        if self._namespace is not None:
            words += ["--namespace", self._namespace]
        return [*words, "--insecure-redis"] if self._insecure_redis else words

    @cached_property
    def settings(self) -> Settings:
        """The settings: options override the environment, then the configuration file, then defaults."""
        from queuectl import settings

        return settings.load(
            redis_url=self._redis_url, namespace=self._namespace, insecure_redis=self._insecure_redis
        )

    @cached_property
    def storage(self) -> Storage:
        """The queue's storage, for managers and pools. No command calls it."""
        from queuectl.manager.connection import open_storage

        return open_storage(self.settings)

    @cached_property
    def manager(self) -> QueueManager:
        """The queue."""
        from queuectl.manager.queue_manager import QueueManager

        return QueueManager(self.storage)

    @cached_property
    def workers(self) -> Workers:
        """Its workers."""
        from queuectl.manager.workers import Workers

        return Workers(self.storage)

    @cached_property
    def dead_letter(self) -> DeadLetterQueue:
        """The dead letter queue."""
        from queuectl.manager.dead_letter import DeadLetterQueue

        return DeadLetterQueue(self.storage)

    @cached_property
    def config(self) -> QueueConfig:
        """The settings that all its users share."""
        from queuectl.manager.config import QueueConfig

        return QueueConfig(self.storage)

    def disconnect(self) -> None:
        """Close the connection; the next call opens another."""
        self.storage.close()


pass_app = click.make_pass_decorator(App)
