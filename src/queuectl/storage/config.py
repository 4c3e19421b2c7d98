"""The config hash: settings that all users of the queue share."""

from __future__ import annotations

from collections.abc import Mapping

from queuectl.storage.codec import mapping
from queuectl.storage.redis_storage import RedisStorage
from queuectl.storage.shapes import count, fields, flag


def read_config(storage: RedisStorage) -> dict[str, str]:
    """All fields of the hash, known or not."""
    stored = mapping(storage.ask(fields, "HGETALL", storage.keys.config))
    return {_text(name): _text(value) for name, value in stored.items()}


def write_config(storage: RedisStorage, values: Mapping[str, str]) -> None:
    """Set these fields, and leave the others."""
    pairs = ((name, value.encode("utf-8", "surrogateescape")) for name, value in values.items())
    storage.ask(count, "HSET", storage.keys.config, *(part for pair in pairs for part in pair))


def reset_config(storage: RedisStorage) -> None:
    """Remove the hash: all settings are back at their defaults."""
    storage.ask(flag, "DEL", storage.keys.config)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
