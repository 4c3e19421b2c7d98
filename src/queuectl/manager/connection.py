"""Where the queue is: its storage, and its address in words. Commands pass the storage on, and ask it nothing."""

from __future__ import annotations

from queuectl.errors import BadConfiguration
from queuectl.settings import Settings
from queuectl.storage import RedisStorage
from queuectl.storage.connect import server_url
from queuectl.storage.url import parse

Storage = RedisStorage
"""What managers work on."""


def open_storage(settings: Settings) -> Storage:
    """Return the storage; its first call connects."""
    return RedisStorage(settings=settings)


def address(settings: Settings) -> str:
    """Return the configured server's address without its password; raises BadConfiguration if it can't be read."""
    return server_url(settings).redacted()


def without_password(url: str) -> str:
    """Return the URL for a command that can be typed again; ``URL`` if it has a password."""
    try:
        parsed = parse(url)
    except BadConfiguration:
        return "URL"  # any part of it may be a password
    return parsed.redacted() if parsed.password is None else "URL"
