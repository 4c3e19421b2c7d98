"""The options of a job, one line each, in a file for each group.

An option is added by its line here and by the code that acts on it. Nothing of Click is imported, and no server is
asked: a short `enqueue` reads this table.
"""

from __future__ import annotations

from typing import Any

from queuectl.options.identity import Identity
from queuectl.options.place import Place
from queuectl.options.policy import Policy
from queuectl.options.resources import Resources
from queuectl.options.retention import Retention
from queuectl.options.table import JOB, LEASE, SETTING, Option

__all__ = ["JOB", "LEASE", "OPTIONS", "SETTING", "SETTINGS", "JobOptions", "Option", "Retention", "settings_rows"]


class JobOptions(Identity, Place, Resources, Policy):
    """What a user can ask of a single job. A value is of the option's own type, or text such as ``10m`` or ``2G``.

    What is not given is left to the queue's configuration, and then to the default.
    """

    def fields(self) -> dict[str, str]:
        """The fields of the job's hash for what was given."""
        fields = {name: OPTIONS[name].kind.text(value) for name, value in self.given.items()}
        packed = [f"{name}={fields.pop(name)}" for name in PACKED if name in fields and self.given[name]]
        return fields | ({PACKED_FIELD: " ".join(packed)} if packed else {})


OPTIONS: dict[str, Option[Any]] = JobOptions.table

PACKED = [name for name, option in OPTIONS.items() if option.goes_to == LEASE]
"""Options that share one field."""

PACKED_FIELD = "limits"
"""``memory=536870912 cpu_time=10``. A name in it that a worker does not know makes the job invalid: an option that
the user relies on is never passed over."""

SETTINGS: dict[str, Option[Any]] = {
    **{name: option for name, option in OPTIONS.items() if option.goes_to == SETTING},
    **Retention.table,
}
"""What the queue's configuration holds."""


def settings_rows(names: list[str]) -> list[str]:
    """Name, default, most, whole for each of these settings, as scripts take them: Python owns the bounds."""
    rows = []
    for option in (SETTINGS[name] for name in names):
        rows += [option.name, option.kind.text(option.default), f"{option.kind.most:.0f}", "1" * option.kind.whole]
    return rows
