"""The Storage Layer: jobs, their states and their order, in Redis or Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from queuectl.storage.redis_storage import RedisStorage

__all__ = ["RedisStorage"]


def __getattr__(name: str) -> Any:
    """Loads `RedisStorage` when it is first asked for: a short `enqueue` needs only a part of it."""
    if name == "RedisStorage":
        from queuectl.storage.redis_storage import RedisStorage

        return RedisStorage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
