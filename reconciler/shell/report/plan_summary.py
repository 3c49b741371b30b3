"""The summary of a plan: how many objects it adds, changes and deletes, and what stands in the way."""

from __future__ import annotations

from collections import Counter

from reconciler.core.aside import is_guarded
from reconciler.core.guard import taken_down
from reconciler.model.findings import Severity
from reconciler.model.plan import Block, Create, Delete, NoteKind, Plan, Rebuild, Roll, Update
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """Steps count objects, everything else counts resources."""

    create: int
    update: int
    delete: int
    held: int
    pending: int
    """Services that stay as they run, because no build of their image passed the gate yet."""
    blocked: int
    """Writes that cannot be done."""
    kept: int
    guarded: int
    """Of the steps, those that a guard holds."""
    allow_delete: int
    """What `--allow-delete` must name to let them go."""
    rebuilds: int
    rolls: int
    errors: int
    warnings: int
    unchanged: int


def summary(plan: Plan) -> Summary:
    """The numbers of `plan`."""
    steps = Counter(type(step) for step in plan.steps)
    notes = Counter(note.kind for note in plan.notes)
    findings = Counter(finding.severity for finding in plan.findings)
    effects = Counter(type(effect) for effect in plan.effects)
    return Summary(
        create=steps[Create],
        update=steps[Update],
        delete=steps[Delete],
        held=notes[NoteKind.HELD],
        pending=notes[NoteKind.PENDING],
        blocked=steps[Block],
        kept=notes[NoteKind.KEPT],
        guarded=sum(is_guarded(step) for step in plan.steps),
        allow_delete=taken_down(plan.steps),
        rebuilds=effects[Rebuild],
        rolls=effects[Roll],
        errors=findings[Severity.ERROR],
        warnings=findings[Severity.WARNING],
        unchanged=plan.unchanged,
    )


def sentence(found: Summary) -> str:
    """`3 to add, 1 to change, 0 to delete; 1 held, 1 pending an image`."""
    steps = f"{found.create:,} to add, {found.update:,} to change, {found.delete:,} to delete"
    rest = [
        f"{found.held:,} held" * bool(found.held),
        f"{found.pending:,} pending an image" * bool(found.pending),
        f"{found.blocked:,} blocked" * bool(found.blocked),
        f"{found.kept:,} kept" * bool(found.kept),
        f"{found.guarded:,} held by guards" * bool(found.guarded),
        counted(found.rebuilds, "rebuild") * bool(found.rebuilds),
        counted(found.rolls, "roll") * bool(found.rolls),
    ]
    return "; ".join(filter(None, (steps, ", ".join(filter(None, rest)))))


def counted(number: int, thing: str) -> str:
    """`1 roll`, `2 rolls`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def named(names: list[str], shown: int) -> str:
    """The first names, and how many more there are."""
    head = ", ".join(names[:shown])
    return f"{head} and {len(names) - shown:,} more" if len(names) > shown else head
