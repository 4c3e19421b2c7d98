"""The Storage Layer: jobs, their states and their order, in Redis or Valkey."""

from queuectl.storage.redis_storage import RedisStorage

__all__ = ["RedisStorage"]
