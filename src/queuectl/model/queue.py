"""Queues: the names under which jobs wait."""

from __future__ import annotations

DEFAULT_QUEUE = "default"
