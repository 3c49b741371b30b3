"""Catalog: the images of a fleet as files and lock have them - what each starts from, its builds, whether its key is that of the files."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

from pipelines.core.uses import uses
from pipelines.model.decision import Current, Decided, Open, Outdated, Unbuildable
from pipelines.model.recipe import FromImage
from reconciler.model.graph import Graph
from reconciler.model.lock import Build, Builds, Lock
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass


class Key(StrEnum):
    """How the key of the lock's current build stands to the files."""

    CURRENT = "current"
    OUTDATED = "outdated"
    OPEN = "open"
    """Not known before what it starts from is built or looked up."""
    UNBUILDABLE = "unbuildable"
    GONE = "gone"
    """The lock has builds of it, and no spec declares it."""


class Judgement(StrEnum):
    """What the lock knows of the gate's verdict on a build."""

    PASSED = "passed"
    NONE = "none"
    """It was entered by hand: nobody judged it."""
    BAD = "bad"
    """Somebody marked it bad."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One image."""

    name: str
    start: str
    """What it starts from; empty for one that no spec declares any more."""
    parent: str
    """The image of the fleet that it starts from; empty where that is none."""
    key: Key
    because: str
    """Why it is not current."""
    builds: Builds | None
    users: tuple[Ref, ...]


def judgement(build: Build) -> Judgement:
    """What the lock knows of the gate's verdict on a build."""
    if build.bad:
        return Judgement.BAD
    return Judgement.PASSED if build.verdict else Judgement.NONE


def catalog(decided: Iterable[Decided], lock: Lock, graph: Graph) -> tuple[Listed, ...]:
    """Every image that is built, in the graph's order, then what only the lock knows, by name."""
    users: dict[str, list[Ref]] = {}
    for ref, use in uses(graph):
        users.setdefault(use.image.short, []).append(ref)
    found = {
        one.target.name: Listed(
            one.target.name,
            str(one.target.start),
            one.target.start.name if isinstance(one.target.start, FromImage) else "",
            *_key(one),
            lock.builds(one.target.name),
            tuple(users.get(one.target.name, ())),
        )
        for one in decided
    }
    gone = (name for name in sorted(lock.images) if name not in found)
    why = "no spec declares it"
    return (*found.values(), *(Listed(name, "", "", Key.GONE, why, lock.builds(name), tuple(users.get(name, ()))) for name in gone))


def _key(one: Decided) -> tuple[Key, str]:
    match one.decision:
        case Current():
            return Key.CURRENT, ""
        case Outdated(because=because):
            return Key.OUTDATED, "; ".join(because)
        case Open(because=because):
            return Key.OPEN, "; ".join(because)
        case Unbuildable(because=because):
            return Key.UNBUILDABLE, because
        case _:
            assert_never(one.decision)
