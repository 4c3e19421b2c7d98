"""The settings that all users of a queue share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from queuectl.options import SETTINGS
from queuectl.storage import RedisStorage, config


class QueueConfig:
    """What new jobs get when they don't say otherwise, and how long finished jobs are kept."""

    def __init__(self, storage: RedisStorage) -> None:
        self._storage = storage

    def values(self) -> dict[str, tuple[Any, bool]]:
        """Each setting's value, and whether it was set (else it is the default)."""
        stored = config.read_config(self._storage)
        values: dict[str, tuple[Any, bool]] = {}
        for name, setting in SETTINGS.items():
            text = stored.get(name, "")
            in_force = setting.kind.in_force(text)  # else never set, or written by another program
            values[name] = (setting.read(text), True) if in_force else (setting.default, False)
        return values

    def change(self, changes: Mapping[str, object]) -> None:
        """Change settings; all are checked before the first is written."""
        texts = {name: SETTINGS[name].kind.text(SETTINGS[name].read(value)) for name, value in changes.items()}
        config.write_config(self._storage, texts)

    def reset(self) -> None:
        """Set all settings back to their defaults."""
        config.reset_config(self._storage)
