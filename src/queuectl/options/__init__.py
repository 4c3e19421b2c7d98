"""The options of a job, one line each, in one file per group.

To add an option, add a line here and the code that acts on it. This package imports no Click and asks no server:
the fast path of `enqueue` reads this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from queuectl.options.durability import Durability
from queuectl.options.identity import Identity
from queuectl.options.place import Place
from queuectl.options.policy import Policy
from queuectl.options.resources import Resources
from queuectl.options.retention import Retention
from queuectl.options.table import ALWAYS, FIELD, LEASE, QUEUE, SCRIPT, Option

__all__ = [
    "ALWAYS",
    "FIELD",
    "LEASE",
    "OPTIONS",
    "PACKED_FIELD",
    "QUEUE",
    "SCRIPT",
    "SETTINGS",
    "JobOptions",
    "Option",
    "Retention",
    "defaults",
    "rules",
]

PACKED_FIELD = "limits"
"""The field of all values that only a runner needs: ``memory=536870912 nice=5``. A name that a worker does not know
makes the job invalid: a worker must never ignore an option that the user relies on."""


class JobOptions(Policy, Resources, Place, Identity):
    """The options that a user can set for a single job. A value has the option's type, or is text like ``10m``.

    An option that is not given gets its value from the queue's configuration, else its default.
    """

    def fields(self) -> dict[str, bytes]:
        """Return the given options as fields of the job's hash, and as arguments of the script that adds it.

        A given 0 is among them: it overrides what the queue's configuration or the other jobs of a call have.
        """
        texts = {
            name: self.table[name].kind.text(self.given[name]).encode("utf-8", "surrogateescape")
            for name in self.table
            if name in self.given
        }
        packed = {name: texts.pop(name) for name in list(texts) if self.table[name].goes_to == LEASE}
        if packed:
            from queuectl.options.packing import pack

            texts[PACKED_FIELD] = pack(packed)
        return texts


OPTIONS: dict[str, Option[Any]] = JobOptions.table

SETTINGS: dict[str, Option[Any]] = {
    name: option
    for name, option in {**OPTIONS, **Retention.table, **Durability.table}.items()
    if option.configurable
}
"""The settings in the queue's configuration."""


def rules(options: Iterable[Option[Any]]) -> str:
    """Return name, characters and most of each of these settings, for scripts: Python defines the bounds."""
    kinds = ((option.name, option.kind) for option in options)
    return " ".join(f"{name} {kind.characters} {kind.most:.0f}" for name, kind in kinds)


def defaults(options: Iterable[Option[Any]]) -> list[str]:
    """Return name, default ... of these options."""
    return [part for option in options for part in (option.name, option.kind.text(option.default))]
