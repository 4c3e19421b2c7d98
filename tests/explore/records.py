"""What the server holds, read at once: every key, without its namespace."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from queuectl.model.lifecycle import JobState
from queuectl.storage.keys import Keys

from .scope import FUTURE, LAST_HEARD

NAMESPACE = "x"
INDEXES = {state.value: Keys("").index(state.value).removeprefix(":") for state in JobState}


class Records:
    """All keys at one moment. ``text`` is JSON, as `dump.lua` returns it and `load.lua` takes it."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.keys: dict[str, Any] = json.loads(text) if text != b"{}" else {}
        self.jobs: dict[str, dict[str, str]] = {
            name[5:]: value[1] for name, value in self.keys.items() if name.startswith("jobs:")
        }

    def content(self, name: str) -> Any:
        """Return what a key holds: a list, members and scores, a mapping or a text; empty if it is missing."""
        found = self.keys.get(name)
        return found[1] if found else ()

    def scores(self, name: str) -> dict[str, float]:
        """Return member -> score of a sorted set, lowest score first."""
        flat = self.content(name)
        return {flat[i]: float(flat[i + 1]) for i in range(0, len(flat), 2)}

    def status(self, job: str) -> str:
        """Return the state of a job; "" for an unknown job."""
        fields = self.jobs.get(job)
        return fields["status"] if fields else ""

    def fence(self, job: str) -> int:
        """Return the fence of a job; 0 if it was never claimed."""
        return int(self.jobs.get(job, {}).get("fence", 0))

    def holds(self, lease: tuple[str, int]) -> bool:
        """Whether a lease is the newest one of a job that is processing."""
        return self.status(lease[0]) == "processing" and self.fence(lease[0]) == lease[1]

    @cached_property
    def leases(self) -> dict[str, float]:
        """Return processing jobs by the end of their lease."""
        return self.scores("running")

    @cached_property
    def pauses(self) -> dict[str, float]:
        """Return failed jobs by the time of their next attempt."""
        return self.scores("retry_queue")

    @property
    def ended(self) -> list[str]:
        """Return jobs whose lease is over, in this order."""
        return [job for job, end in self.leases.items() if end < FUTURE]

    @property
    def silent(self) -> bool:
        """Whether the clock has jumped ahead, and no runner was heard since."""
        return str(self.content("pulse")).startswith(f"{LAST_HEARD} ")

    @property
    def expired(self) -> list[str]:
        """Return jobs whose lease was over before the clock jumped, if it did."""
        return [job for job in self.ended if not self.silent or self.leases[job] < LAST_HEARD]

    @property
    def due(self) -> list[str]:
        """Return failed jobs whose pause is over, in this order."""
        return [job for job, end in self.pauses.items() if end < FUTURE]

    @property
    def stopped(self) -> bool:
        """Whether workers are told to stop."""
        return "stop_signal" in self.keys

    @property
    def pending(self) -> set[str]:
        """Return jobs that wait for a worker."""
        return {job for job, fields in self.jobs.items() if fields.get("status") == "pending"}
