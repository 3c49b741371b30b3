"""Refreshes images: whose epoch is raised, which bases mean something else today, and the edits that say so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from pipelines.core.targets import descendants
from pipelines.model.recipe import FromImage, FromRegistry, Start, Target
from pipelines.model.reference import BadReference, parse_reference
from reconciler.core.edit import add_key, set_scalar
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Raise:
    """An epoch goes up by one, so that the image is built with the distribution's fixes of today."""

    image: str
    path: str
    """The spec."""
    before: int
    is_said: bool
    """Whether the spec says it; else zero is meant."""

    @property
    def after(self) -> int:
        """The new epoch."""
        return self.before + 1


@dataclass(frozen=True, slots=True)
class Move:
    """A base means another digest today. The lock says what it meant, or where it is pinned, the files that pin it."""

    reference: str
    before: str
    """A digest; empty where nothing was recorded."""
    after: str
    images: tuple[str, ...]
    """That take something from it."""
    is_pinned: bool = False

    @property
    def pin(self) -> tuple[str, str]:
        """How it is written, and how it is to be."""
        return f"{self.reference}@{self.before}", f"{self.reference}@{self.after}"


@dataclass(frozen=True, slots=True)
class Refresh:
    """What there is to be done."""

    raises: tuple[Raise, ...]
    moves: tuple[Move, ...]

    def rebuilt(self, targets: Collection[Target]) -> tuple[str, ...]:
        """What is built anew after it, parents before children."""
        own = {one.image for one in self.raises} | {name for move in self.moves for name in move.images}
        found = descendants(targets, own)
        return tuple(target.name for target in targets if target.name in found)


def chosen(targets: Iterable[Target], names: Collection[str]) -> tuple[Target, ...]:
    """These images; where none is named, all that start from something that is not the fleet's."""
    return tuple(one for one in targets if (one.name in names if names else not isinstance(one.start, FromImage)))


def taken(target: Target, mentioned: Iterable[str]) -> Iterator[tuple[str, Start, str]]:
    """What an image takes from outside the fleet: what to call it, what to look up, and the digest that its files pin it to (or none).

    A digest without a tag cannot move. A pin of an environment's stand-in is fleet.yaml's, and stays.
    """
    starts = [] if isinstance(target.start, FromImage) else [target.start]
    for start in (*starts, *(FromRegistry(name) for name in mentioned)):
        name, _, digest = str(start).partition("@")
        if not digest:
            yield name, start, ""
        elif _has_tag(name) and (start is not target.start or str(start) == target.literal):
            yield name, FromRegistry(name), digest


def _has_tag(name: str) -> bool:
    try:
        return bool(parse_reference(name).tag)
    except BadReference:
        return False


def moves(asked: Iterable[tuple[str, tuple[str, Start, str]]], today: Mapping[str, str], locked: Mapping[str, str]) -> tuple[Move, ...]:
    """What moved, out of (image, what it takes): against the files where they pin it, else against the lock."""
    found: dict[tuple[str, str, bool], list[str]] = {}
    for image, (name, _, pinned) in asked:
        before = pinned or locked.get(name, "")
        if name in today and today[name] != before:
            found.setdefault((name, before, bool(pinned)), []).append(image)
    return tuple(Move(name, before, today[name], tuple(images), pinned) for (name, before, pinned), images in sorted(found.items()))


def edited(refresh: Refresh, specs: Mapping[str, str], files: Mapping[str, bytes], dockerfiles: Mapping[str, str]) -> dict[str, bytes]:
    """The files that are to be written, every other byte as it was. `specs` and `dockerfiles`: path by image; `files`: bytes by path.

    Raises NotEdited.
    """
    found = dict(files)
    for one in refresh.raises:
        data = found[one.path]
        pointer = ("spec", "epoch")
        found[one.path] = (
            set_scalar(one.path, data, pointer, one.after) if one.is_said else add_key(one.path, data, ("spec",), "epoch", one.after)
        )
    for move in refresh.moves:
        for image in move.images if move.is_pinned else ():
            for path in {specs.get(image, ""), dockerfiles.get(image, "")} & found.keys():
                found[path] = found[path].replace(move.pin[0].encode(), move.pin[1].encode())
    return {path: data for path, data in found.items() if data != files[path]}
