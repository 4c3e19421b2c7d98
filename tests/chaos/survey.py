"""Observes the server without affecting it: never starts one that is down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from queuectl import settings
from queuectl.errors import QueuectlError
from queuectl.storage import RedisStorage
from queuectl.storage.client import Connection
from queuectl.storage.codec import mapping
from queuectl.storage.connect import server_url

from .history import Recorder

SCRIPT = (Path(__file__).parent / "survey.lua").read_text()
PERIOD_SECONDS = 0.25


@contextmanager
def server() -> Iterator[RedisStorage]:
    """Open this run's queue; raise QueuectlError if its server is not up."""
    with closing(Connection.open(server_url(settings.load()))) as connection:
        yield RedisStorage(client=connection)


def look(queue: RedisStorage) -> dict[str, Any]:
    """Return all indexes and all hashes at one instant."""
    (text,) = queue.exchange([("EVAL", SCRIPT, 1, queue.keys.namespace)], most_bytes=1 << 30)
    found = json.loads(text)
    # Lua can't distinguish an empty list from an empty table.
    return {
        name: value or ([] if name in ("processing", "leased", "misplaced", "retries") else value)
        for name, value in found.items()
    }


def jobs(queue: RedisStorage) -> dict[str, dict[str, str]]:
    """Return every job's hash, by id."""
    prefix = queue.keys.job("")
    (keys,) = queue.exchange([("KEYS", f"{prefix}*")])
    hashes = queue.exchange([("HGETALL", key) for key in keys])
    return {
        key.decode().removeprefix(prefix): {name.decode(): value.decode() for name, value in mapping(flat).items()}
        for key, flat in zip(keys, hashes, strict=True)
    }


def other_keys(queue: RedisStorage) -> list[str]:
    """Return the names of all keys, except those that come and go with the jobs."""
    (keys,) = queue.exchange([("KEYS", f"{queue.keys.namespace}:*")])
    names = (key.decode().removeprefix(f"{queue.keys.namespace}:") for key in keys)
    return sorted(name for name in names if not name.startswith(("jobs:", "ids:", "env:", "idx:")))


def dead_letters(queue: RedisStorage) -> list[str]:
    """Return the list of dead jobs."""
    (ids,) = queue.exchange([("LRANGE", f"{queue.keys.namespace}:dead_letter", 0, -1)])
    return [job_id.decode() for job_id in ids]


def record_of(kind: str, job_id: str, folder: Path) -> list[tuple[str, ...]]:
    """Put a pending job into the queue as another version would: with fewer fields, or with unknown ones."""
    fields = {
        "status": "pending",
        "command": "sh job.sh ok",
        "cwd": str(folder),
        "created_at": "1.0",
        "max_retries": "2",
        "backoff_base": "0.2",
        "backoff_factor": "2",
        **({"form": "container", "image": "debian:14", "attempts": "0"} if kind == "newer" else {}),
    }
    job, index, ids = f"queuectl:jobs:{job_id}", "queuectl:idx:pending", f"queuectl:ids:{job_id[:4]}"
    return [
        ("HSET", job, *(part for pair in fields.items() for part in pair)),
        ("SADD", ids, job_id),
        ("ZADD", index, "1.0", job_id),
        ("LPUSH", "queuectl:jobs", job_id),
    ]


class Sampler(threading.Thread):
    """Observes the server four times a second and records the result."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(name="sampler", daemon=True)
        self._recorder = recorder
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(PERIOD_SECONDS):
            try:
                with server() as queue:
                    self._recorder.note("sample", **look(queue))
            except QueuectlError:
                continue  # it is down, or starting

    def end(self) -> None:
        self._ended.set()
        self.join()
        self._recorder.close()
