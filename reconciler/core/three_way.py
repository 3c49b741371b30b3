"""Three-way: one thing in an ancestor and on two sides that changed it apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from reconciler.model.value import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ThreeWay(Generic[T]):
    """A value in the ancestor and on both sides; None where it is not there."""

    base: T | None
    ours: T | None
    theirs: T | None

    @classmethod
    def of(cls, name: str, base: Mapping[str, T], ours: Mapping[str, T], theirs: Mapping[str, T]) -> ThreeWay[T]:
        """What stands under one name."""
        return cls(base.get(name), ours.get(name), theirs.get(name))

    @property
    def is_settled(self) -> bool:
        """Whether at most one side changed it, or both alike."""
        return self.ours == self.theirs or self.base in (self.ours, self.theirs)

    @property
    def settled(self) -> T | None:
        """What it is then."""
        return self.theirs if self.ours == self.base else self.ours

    @property
    def sides(self) -> tuple[T, ...]:
        """What the two sides have of it."""
        return tuple(side for side in (self.ours, self.theirs) if side is not None)
