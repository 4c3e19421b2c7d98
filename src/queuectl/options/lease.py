"""What a claim reads of a job's options."""

from __future__ import annotations

from typing import Any, NoReturn

from queuectl.options import ALWAYS, LEASE, OPTIONS, JobOptions


def unread(name: str) -> Any:
    """Return a property that raises LookupError: a claim does not read this, so nobody may take it for empty."""

    def read(_: object) -> NoReturn:
        raise LookupError(f"a claim does not read a job's {name}")

    return property(read)


class LeaseOptions(JobOptions):
    """The options that a runner needs. To ask for another one raises LookupError."""


for _name, _option in OPTIONS.items():
    if _option.goes_to not in (LEASE, ALWAYS):
        setattr(LeaseOptions, _name, unread(_name))
