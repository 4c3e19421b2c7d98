"""The declaration of an option: one line from which every interface derives.

The command line, its fast path, the configuration, stored records, JSON, `show` and the reference in the docs read
these declarations; see `queuectl.options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

if TYPE_CHECKING:
    from queuectl.options.values import Kind

T = TypeVar("T")
Given = TypeVar("Given", bound="Options")

FIELD, LEASE, ALWAYS, SCRIPT, QUEUE, POOL = "field", "lease", "always", "script", "queue", "pool"
"""Where a value goes.

FIELD: into a field of the job, stored and shown. LEASE: to the runner; these values share one field, as most jobs
have none. ALWAYS: to the runner too, in a field of its own, as every job has a value. SCRIPT: to the script that
adds the job, which acts on it and takes it out of the fields. QUEUE: nowhere; it is a setting of the queue itself.
POOL: to a pool of workers.
"""


class Option(Generic[T]):
    """One option. On a class it is this declaration; on an instance it is the value or the default.

    ``configurable``: the queue's configuration can give jobs a value, if scripts can check its kind.
    ``unlimited``: 0 means no limit. ``limit``: what the limit is called when an attempt exceeds it; `show` and JSON
    have all limits in one place. ``shown``: whether `show` has a line for it. ``flags``: its names on the command
    line as Click takes them, such as ``--verbose/--quiet`` and ``-v/-q``, if they are not just ``--name``.
    """

    name: str

    def __init__(
        self,
        kind: Kind[T],
        default: T,
        help: str,  # noqa: A002
        goes_to: str,
        *,
        configurable: bool = True,
        unlimited: bool = False,
        limit: str = "",
        shown: bool = True,
        flags: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.default = default
        self.help = help
        self.goes_to = goes_to
        self.configurable = configurable and kind.characters is not None
        self.unlimited = unlimited or bool(limit)
        self.limit = limit
        self.shown = shown and not limit
        self.flags = flags

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self._called = self.flags[0] if self.flags else name.replace("_", "-")
        self.flags = self.flags or (f"--{self._called}",)

    @overload
    def __get__(self, instance: None, owner: type) -> Option[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object, owner: type) -> Option[T] | T:
        return self if instance is None else self.default

    @property
    def flag(self) -> str:
        """The option's name on the command line."""
        return self.flags[0].partition("/")[0]

    @property
    def switch(self) -> bool:
        """Whether it takes no value."""
        return isinstance(self.default, bool)

    @property
    def many(self) -> bool:
        """Whether it may be given several times."""
        return isinstance(self.default, tuple)

    def read(self, value: object) -> T:
        """Convert a text or number to the option's value; raise InvalidInput if it is invalid."""
        return self.kind.read(self._called, value)

    def words(self, value: T) -> list[str]:
        """Return the words of a command line that give the option this value."""
        if self.switch:
            on, _, off = self.flags[0].partition("/")
            return [on] if value else [off] if off else []
        texts = value if isinstance(value, tuple) else [self.kind.text(value)]
        return [word for text in texts for word in (self.flag, text)]


class Options:
    """Values of the options that a class and its bases declare. Missing ones, or None, have their default."""

    table: ClassVar[dict[str, Option[Any]]] = {}
    """Name to declaration: those of each base, in the order in which the class names them, then its own."""

    def __init_subclass__(cls) -> None:
        inherited = [base.table for base in cls.__bases__ if issubclass(base, Options)]
        own = {name: option for name, option in vars(cls).items() if isinstance(option, Option)}
        cls.table = {name: option for table in (*inherited, own) for name, option in table.items()}

    def __init__(self, **values: object) -> None:
        """Check and keep ``values``; raise InvalidInput for an invalid value, TypeError for an unknown name."""
        if unknown := values.keys() - self.table.keys():
            raise TypeError(f"there is no option {', '.join(sorted(unknown))}")
        self.given: dict[str, Any] = {
            name: self.table[name].read(value) for name, value in values.items() if value not in (None, ())
        }
        # In the instance, where attribute lookup finds them fastest: a runner does this for every job.
        vars(self).update(self.given)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Options) or not (isinstance(other, type(self)) or isinstance(self, type(other))):
            return NotImplemented
        return self._changed() == other._changed()

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._changed().items())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"

    def __or__(self: Given, other: Given) -> Given:
        """These options, with the ones given in ``other`` in place of their own."""
        return type(self)(**(self.given | other.given))

    def values(self) -> Mapping[str, Any]:
        """Return every option's value, defaults included."""
        return {name: getattr(self, name) for name in self.table}

    def _changed(self) -> dict[str, Any]:
        return {name: value for name, value in self.given.items() if value != self.table[name].default}
