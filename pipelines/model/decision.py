"""Decisions: what is to be done about each image, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.lock import Build
from reconciler.model.value import dataclass

if TYPE_CHECKING:
    from pipelines.model.recipe import Recipe, Target


@dataclass(frozen=True, slots=True)
class Current:
    """The lock's current build is of exactly this recipe."""

    build: Build


@dataclass(frozen=True, slots=True)
class Outdated:
    """The recipe is known, and it is not the one of the lock's current build: look in the cache, then build."""

    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """The recipe is not known yet, since something that it starts from is not: a parent that is built first, a base not looked up."""

    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unbuildable:
    """It cannot be built as it is written."""

    because: str
    fix: str = ""


Decision = Current | Outdated | Open | Unbuildable


@dataclass(frozen=True, slots=True)
class Decided:
    """An image, its recipes by platform where they are known, their key, and what is to be done."""

    target: Target
    recipes: Mapping[str, Recipe]
    key: str
    decision: Decision

    @property
    def planned(self) -> Planned:
        """What a plan says of it."""
        return Planned(self.target.name, str(self.target.start), self.key, self.decision)


class Planned(NamedTuple):
    """What a plan says of an image."""

    name: str
    start: str
    """What it starts from."""
    key: str
    """Empty where it is not known."""
    decision: Decision
