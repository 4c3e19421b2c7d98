"""The Storage Layer: jobs, their states and their order, in Redis or Valkey."""

from __future__ import annotations

from queuectl.storage.redis_storage import RedisStorage

__all__ = ["RedisStorage"]
