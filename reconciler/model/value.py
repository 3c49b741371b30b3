"""`dataclass` for values, ready sooner: frozen to the type checker; equality, hash and text are shared, not compiled for each class.

The standard decorator compiles six methods a class as the program starts: a tenth of what `fleet lint` does for fifty services. And a value that is
frozen at run time, too, sets each of its fields through `object.__setattr__`, which takes three times as long as to assign it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool, order: bool = False) -> Callable[[type[Any]], type[Any]]:
        """As `dataclasses.dataclass(frozen=True, slots=True)`. That nobody sets a field is for mypy to see."""
        return dataclasses.dataclass(frozen=frozen, slots=slots, order=True) if order else _value


Read = Callable[[Any], Any]


def _value(cls: type[Any]) -> type[Any]:
    made: Any = dataclasses.dataclass(slots=True, eq=False, repr=False)(cls)
    names = [field.name for field in dataclasses.fields(made) if field.compare]
    read: Read = attrgetter(*names) if names else lambda _: ()
    if "__eq__" not in cls.__dict__:
        made.__eq__ = _equality(read)
    if "__hash__" not in cls.__dict__:
        made.__hash__ = lambda self: hash(read(self))
    if "__repr__" not in cls.__dict__:
        made.__repr__ = _text
    return made  # type: ignore[no-any-return]


def _equality(read: Read) -> Callable[[Any, Any], bool]:
    def equal(self: Any, other: Any) -> bool:
        return read(self) == read(other) if other.__class__ is self.__class__ else NotImplemented

    return equal


def _text(self: Any) -> str:
    said = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({said})"
