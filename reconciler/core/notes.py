"""Notes: what a plan leaves alone, and what runs otherwise than the lock says."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.graph import Graph, Held, Locked, Missing, Placed, Unplaced, Unverified
from reconciler.model.holds import Hold
from reconciler.model.plan import Note, NoteKind


def notes(graph: Graph) -> tuple[Note, ...]:
    """Everything held, unplaced, kept, waiting for a build or unverified, in order of reference."""
    found = [*_kept(graph), *_unplaced(graph), *_choices(graph)]
    return tuple(sorted(found, key=lambda note: (note.kind, note.resource)))


def _kept(graph: Graph) -> Iterator[Note]:
    for ref in graph.kept:
        why = "its file is broken" if ref in graph.fleet.broken else "it depends on what is broken"
        yield Note(NoteKind.KEPT, ref, f"kept as it runs: {why}")


def _unplaced(graph: Graph) -> Iterator[Note]:
    for ref, placement in graph.placements.items():
        match placement:
            case Unplaced(reason=reason):
                yield Note(NoteKind.UNPLACED, ref, reason)
            case Placed():
                pass


def _choices(graph: Graph) -> Iterator[Note]:
    for ref, choice in graph.choices.items():
        if isinstance(graph.placements.get(ref), Unplaced):
            continue
        match choice:
            case Held():
                yield Note(NoteKind.HELD, ref, held_at(choice))
            case Unverified(tag=tag, hold=Hold() as hold):
                yield Note(NoteKind.HELD, ref, f"held at {tag}, unverified{told(hold)}")
            case Unverified(tag=tag):
                yield Note(NoteKind.UNVERIFIED, ref, f"runs the tag {tag}: no digest and no verdict is recorded")
            case Missing(reason=reason):
                yield Note(NoteKind.PENDING, ref, f"kept as it runs: {reason}")
            case Locked():
                pass


def held_at(choice: Held) -> str:
    """What it is pinned to, and by whom."""
    return f"held at {choice.build.tag}{told(choice.hold)}"


def told(hold: Hold) -> str:
    """Who holds, until when and why, as the end of a sentence."""
    who = f", by {hold.by}" if hold.by else ""
    until = f" until {hold.until}" if hold.until else ""
    unsafe = ", unsafe" if hold.unsafe else ""
    return f"{who}{until}{unsafe}" + (f": {hold.reason}" if hold.reason else "")
