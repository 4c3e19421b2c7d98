"""The options of a job, one line each, in one file per group.

To add an option, add a line here and the code that acts on it. This package imports no Click and asks no server:
the fast path of `enqueue` reads this table.
"""

from __future__ import annotations

from typing import Any

from queuectl.options.durability import Durability
from queuectl.options.identity import Identity
from queuectl.options.place import Place
from queuectl.options.policy import Policy
from queuectl.options.resources import Resources
from queuectl.options.retention import Retention
from queuectl.options.table import JOB, LEASE, SETTING, Option

__all__ = ["JOB", "LEASE", "OPTIONS", "SETTING", "SETTINGS", "JobOptions", "Option", "Retention", "settings_rows"]


class JobOptions(Policy, Resources, Place, Identity):
    """The options that a user can set for a single job. A value has the option's type, or is text like ``10m``.

    An option that is not given gets its value from the queue's configuration, else its default.
    """

    def fields(self) -> dict[str, str]:
        """Return the given options as fields of the job's hash."""
        fields = {name: OPTIONS[name].kind.text(value) for name, value in self.given.items()}
        packed = [f"{name}={fields.pop(name)}" for name in PACKED if name in fields and self.given[name]]
        return fields | ({PACKED_FIELD: " ".join(packed)} if packed else {})


OPTIONS: dict[str, Option[Any]] = JobOptions.table

PACKED = [name for name, option in OPTIONS.items() if option.goes_to == LEASE]
"""Options that share one field."""

PACKED_FIELD = "limits"
"""``memory=536870912 cpu_time=10``. A name that a worker does not know makes the job invalid: a worker must never
ignore an option that the user relies on."""

SETTINGS: dict[str, Option[Any]] = {
    **{name: option for name, option in OPTIONS.items() if option.goes_to == SETTING},
    **Retention.table,
    **Durability.table,
}
"""The settings in the queue's configuration."""


def settings_rows(names: list[str]) -> list[str]:
    """Return name, default, most, whole for each of these settings, for scripts: Python defines the bounds."""
    rows = []
    for option in (SETTINGS[name] for name in names):
        rows += [option.name, option.kind.text(option.default), f"{option.kind.most:.0f}", "1" * option.kind.whole]
    return rows
