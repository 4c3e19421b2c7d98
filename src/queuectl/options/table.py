"""How an option of a job is declared: one line that all ways in and out are made from.

The command line, its short way, the configuration, stored records, JSON, `show` and the reference in the docs read
these declarations; see `queuectl.options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

if TYPE_CHECKING:
    from queuectl.options.values import Kind

T = TypeVar("T")

SETTING, LEASE, JOB = "setting", "lease", "job"
"""Where a value goes: a field that the queue's configuration may fill in and a runner needs; what only a runner
needs, packed into one field since most jobs have none; a field that is stored and shown."""


class Option(Generic[T]):
    """One option. On a class it is this declaration; on an instance it is the value, or the default.

    ``unlimited``: 0 stands for no limit.
    """

    name: str
    group: str

    def __init__(
        self,
        kind: Kind[T],
        default: T,
        help: str,  # noqa: A002
        goes_to: str = SETTING,
        *,
        unlimited: bool = False,
    ) -> None:
        self.kind = kind
        self.default = default
        self.help = help
        self.goes_to = goes_to
        self.unlimited = unlimited

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.group = owner.__name__.lower()

    @overload
    def __get__(self, instance: None, owner: type) -> Option[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object, owner: type) -> Option[T] | T:
        return self if instance is None else self.default

    @property
    def flag(self) -> str:
        """What the command line calls it."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def many(self) -> bool:
        """Whether it may be given several times."""
        return isinstance(self.default, tuple)

    def read(self, value: object) -> T:
        """The value that a text or number stands for; InvalidInput if it is none."""
        return self.kind.read(self.name.replace("_", "-"), value)


class Options:
    """Values of the options that a class and its bases declare. What is not given, or None, has its default."""

    table: ClassVar[dict[str, Option[Any]]] = {}
    """Name to declaration, in the order in which they are declared."""

    def __init_subclass__(cls) -> None:
        cls.table = {
            name: option
            for base in reversed(cls.__mro__)
            for name, option in vars(base).items()
            if isinstance(option, Option)
        }

    def __init__(self, **values: object) -> None:
        """Checks and keeps ``values``; InvalidInput for one out of bounds, TypeError for an unknown name."""
        if unknown := values.keys() - self.table.keys():
            raise TypeError(f"there is no option {', '.join(sorted(unknown))}")
        self.given: dict[str, Any] = {
            name: self.table[name].read(value) for name, value in values.items() if value not in (None, ())
        }
        # In the instance, where reading an attribute finds them at once: a runner does it for every job.
        vars(self).update(self.given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash(tuple(self.values().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"

    def values(self) -> Mapping[str, Any]:
        """Every option's value, defaults included."""
        return {name: getattr(self, name) for name in self.table}
