"""Notes and effects of a plan, gathered: what has the same reason is one line with a count and the first names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from reconciler.model.plan import Effect, Note, NoteKind, Rebuild, Roll
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.report.plan_values import without_password

_ORDER = (NoteKind.PENDING, NoteKind.KEPT, NoteKind.HELD, NoteKind.UNPLACED, NoteKind.SUSPENDED, NoteKind.DEFERRED, NoteKind.UNVERIFIED)


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of some resources at once."""

    word: str
    text: str
    resources: tuple[Ref, ...]

    @property
    def names(self) -> list[str]:
        """Of the resources, safe to show."""
        return [visible(ref.short) for ref in self.resources]


def gathered(notes: Iterable[Note]) -> tuple[Told, ...]:
    """Notes by kind and reason, what needs somebody's eye first."""
    found: dict[tuple[NoteKind, str], list[Ref]] = defaultdict(list)
    for note in notes:
        found[note.kind, note.text].append(note.resource)
    ranked = sorted(found.items(), key=lambda pair: (_ORDER.index(pair[0][0]), -len(pair[1]), pair[1][0]))
    return tuple(Told(str(kind), visible(without_password(text)), tuple(refs)) for (kind, text), refs in ranked)


@dataclass(frozen=True, slots=True)
class Cause:
    """One edited spec, and all that follows from it."""

    edited: Ref
    rebuilds: tuple[Ref, ...]
    rolls: tuple[tuple[tuple[Ref, ...], tuple[Ref, ...]], ...]
    """(path of images, services that roll by it)."""

    @property
    def size(self) -> int:
        """How much follows."""
        return len(self.rebuilds) + sum(len(rolled) for _, rolled in self.rolls)


def causes(effects: Iterable[Effect]) -> tuple[Cause, ...]:
    """Effects by the edit that they come from, the largest first. Rolls of what was itself edited are steps already, and left out."""
    rebuilds: dict[Ref, list[Ref]] = defaultdict(list)
    rolls: dict[Ref, dict[tuple[Ref, ...], list[Ref]]] = defaultdict(lambda: defaultdict(list))
    for effect in effects:
        match effect:
            case Rebuild(resource=resource, path=path):
                rebuilds[path[0]].append(resource)
            case Roll(resource=resource, path=path) if len(path) > 1:
                rolls[path[0]][path[:-1]].append(resource)
            case Roll():
                pass
    found = [
        Cause(edited, tuple(rebuilds[edited]), tuple((path, tuple(rolled)) for path, rolled in rolls[edited].items()))
        for edited in dict.fromkeys((*rebuilds, *rolls))
    ]
    return tuple(sorted(found, key=lambda cause: (-cause.size, cause.edited)))


def arrows(path: Iterable[Ref]) -> str:
    """`base-python -> base-utils`."""
    return " -> ".join(visible(ref.short) for ref in path)
