"""Merging: two locks that came from one become one lock. What either side built is in it; what cannot be decided is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from reconciler.core.three_way import ThreeWay
from reconciler.model.lock import Build, Builds, Lock, ResolvedBase
from reconciler.model.value import dataclass

_FIELDS = ("tag", "key", "built", "verdict", "sbom")
_REMOVED = "one side removed what the other one changed; it is kept"


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """Something that both sides changed, each in its own way. The merged lock has one of the two; a person looks at it."""

    where: str
    """`images.family-web.current`."""
    message: str


class Merged(NamedTuple):
    """The merged lock. It is the same whichever side is `ours`, conflicts too."""

    lock: Lock
    conflicts: tuple[Conflict, ...]


def merge(base: Lock, ours: Lock, theirs: Lock) -> Merged:
    """The lock with the changes of both sides.

    What one side changed is as that side has it. Where both changed an image, its builds are those of both, and the later one is current.
    """
    conflicts: list[Conflict] = []
    images, bases = {}, {}
    for name in sorted(ours.images.keys() | theirs.images.keys()):
        if builds := _image(f"images.{name}", ThreeWay.of(name, base.images, ours.images, theirs.images), conflicts):
            images[name] = builds
    for name in sorted(ours.bases.keys() | theirs.bases.keys()):
        if known := _base(f"bases.{name}", ThreeWay.of(name, base.bases, ours.bases, theirs.bases), conflicts):
            bases[name] = known
    return Merged(Lock(images, bases=bases), tuple(sorted(conflicts)))


def _base(where: str, known: ThreeWay[ResolvedBase], conflicts: list[Conflict]) -> ResolvedBase | None:
    """What was looked up later."""
    if known.is_settled:
        return known.settled
    first, last = min(known.sides, key=_looked_up), max(known.sides, key=_looked_up)
    if len(known.sides) == 1:
        conflicts.append(Conflict(where, _REMOVED))
    elif first.resolved == last.resolved:
        conflicts.append(Conflict(where, f"it means {first.digest[:19]} and {last.digest[:19]}, both on {last.resolved}"))
    return last


def _looked_up(base: ResolvedBase) -> tuple[Any, ...]:
    return base.resolved, base.digest


def _image(where: str, image: ThreeWay[Builds], conflicts: list[Conflict]) -> Builds | None:
    if image.is_settled:
        return image.settled
    if len(image.sides) == 1:
        conflicts.append(Conflict(where, _REMOVED))
        return image.sides[0]
    ours, theirs = map(_by_digest, image.sides)
    before = _by_digest(image.base) if image.base else {}
    merged: dict[str, Build] = {}
    for digest in sorted(ours.keys() | theirs.keys()):
        merged[digest] = _build(f"{where}.builds.{digest}", ThreeWay.of(digest, before, ours, theirs), conflicts)
    conflicts += _shared_tags(where, merged.values())
    current = _current(f"{where}.current", image, merged, conflicts)
    return Builds(current, tuple(merged[digest] for digest in _in_order(merged, (ours, theirs))))


def _by_digest(builds: Builds) -> dict[str, Build]:
    return {build.digest: build for build in builds.builds}


def _build(where: str, build: ThreeWay[Build], conflicts: list[Conflict]) -> Build:
    """A build field by field. One that a side dropped stays; one that nobody knew before and a side marks bad is bad."""
    if build.ours is None or build.theirs is None:
        return build.sides[0]
    fields: dict[str, Any] = {}
    for name in _FIELDS:
        field: ThreeWay[Any] = _field(build, name)
        if not field.is_settled:
            conflicts.append(Conflict(f"{where}.{name}", " and ".join(sorted(str(one)[:40] or "nothing" for one in field.sides))))
        fields[name] = field.settled if field.is_settled else max(field.sides)
    bad = _field(build, "bad")
    return replace(build.ours, **fields, bad=not bad.is_settled or bool(bad.settled))


def _field(build: ThreeWay[Build], name: str) -> ThreeWay[Any]:
    return ThreeWay(*(getattr(one, name, None) for one in (build.base, build.ours, build.theirs)))


def _shared_tags(where: str, builds: Iterable[Build]) -> Iterator[Conflict]:
    tags: dict[str, list[str]] = {}
    for build in builds:
        tags.setdefault(build.tag, []).append(build.digest)
    for tag, digests in tags.items():
        if len(digests) > 1:
            yield Conflict(f"{where}.builds", f"{tag} is the tag of {' and of '.join(digest[:19] for digest in digests)}")


def _current(where: str, image: ThreeWay[Builds], merged: Mapping[str, Build], conflicts: list[Conflict]) -> Build:
    """The current build: the one that a side made current; where both did, the later one that is not marked bad."""
    digest = ThreeWay(*(one.current.digest if one else None for one in (image.base, image.ours, image.theirs)))
    if digest.is_settled and digest.settled:
        chosen = merged[digest.settled]
    else:
        other, chosen = sorted((merged[one] for one in digest.sides), key=lambda one: (not one.bad, one.built, one.tag, one.digest))
        if (other.built, other.bad) == (chosen.built, chosen.bad):
            tags = sorted((other.tag, chosen.tag))
            conflicts.append(Conflict(where, f"{tags[0]} and {tags[1]} are both of {chosen.built}; {chosen.tag} is taken"))
    if chosen.bad and not any(side.current.digest == chosen.digest and side.current.bad for side in image.sides):
        conflicts.append(Conflict(where, f"one side marked {chosen.tag} bad, which is current"))
    return chosen


def _in_order(merged: Mapping[str, Build], sides: Iterable[Mapping[str, Build]]) -> Iterator[str]:
    """Newest first. Builds of one day stand as both sides have them, and those that no side compares by digest."""
    left = [list(side) for side in sides]
    while remaining := {digest for side in left for digest in side}:
        day = max(merged[digest].built for digest in remaining)
        todays = sorted(digest for digest in remaining if merged[digest].built == day)
        chosen = next((one for one in todays if not any(_stands_below(one, side, todays) for side in left)), todays[0])
        left = [[digest for digest in side if digest != chosen] for side in left]
        yield chosen


def _stands_below(digest: str, side: list[str], todays: list[str]) -> bool:
    """Whether something else of the day stands above it."""
    return digest in side and any(other in todays for other in side[: side.index(digest)])
