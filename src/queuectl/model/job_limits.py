"""What an attempt may use: memory, processor time, output, processes. Fixed when a job is enqueued."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from queuectl.errors import InvalidInput
from queuectl.model import values


class JobLimits(NamedTuple):
    """Bounds of one attempt, all its processes together; 0 for none.

    ``memory`` and ``max_output`` are in bytes, ``cpu_time`` in seconds. ``max_processes`` counts threads too.
    """

    memory: int = 0
    cpu_time: float = 0.0
    max_output: int = 0
    max_processes: int = 0

    def reason(self, name: str) -> str:
        """What is said of an attempt that did not keep the limit ``name``."""
        return {
            "memory": f"memory limit of {values.size_text(self.memory)} exceeded",
            "cpu_time": f"CPU time limit of {self.cpu_time:g}s exceeded",
            "max_output": f"output limit of {values.size_text(self.max_output)} exceeded",
            "max_processes": f"process limit of {self.max_processes} exceeded",
        }[name]


NO_LIMITS = JobLimits()

_CHECKS: dict[str, Callable[[object], float]] = {
    "memory": values.memory,
    "cpu_time": values.cpu_time,
    "max_output": values.max_output,
    "max_processes": values.max_processes,
}


def checked(wishes: Mapping[str, object]) -> JobLimits:
    """The limits with these names and values; InvalidInput for one that is out of bounds or unknown."""
    for name in wishes:
        if name not in _CHECKS:
            raise InvalidInput(f"There is no limit {name[:40]!r}.")
    return JobLimits(**{name: _CHECKS[name](value) for name, value in wishes.items()})  # type: ignore[arg-type]
