"""Standing: how a resource stands, from git, from what a pass found, and from how it stood before. And what of a change is worth telling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core.facts import Facts
from reconciler.core.notes import told
from reconciler.core.troubles import Trouble, cut, troubles
from reconciler.kinds import KINDS
from reconciler.model.graph import Graph, Held, Locked, Placed, Unplaced, Unverified
from reconciler.model.happenings import ConditionChanged
from reconciler.model.kind import Kind
from reconciler.model.projection import (
    BLOCKED,
    CONFLICT,
    HELD,
    HISTORY,
    PROGRESSING,
    READY,
    STALLED,
    Change,
    Condition,
    Placement,
    Reason,
    Standing,
)
from reconciler.model.refs import Ref

_ABNORMAL = (PROGRESSING, STALLED, HELD, BLOCKED, CONFLICT)
_BEHIND = frozenset(
    {Reason.BROKEN_SPEC, Reason.DEPENDS_ON_BROKEN, Reason.REMOVED, Reason.PAUSED, Reason.IN_CONFLICT, Reason.REFUSED, Reason.UNPLACED,
     Reason.IMAGE_PENDING, Reason.AWAITING_WAVE}
)  # fmt: skip
"""While one of these holds, what runs is what ran before."""
_KINDS: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


def standing(ref: Ref, graph: Graph, facts: Facts, before: Standing | None, at: str) -> Standing:
    """How `ref` stands at the moment `at` (RFC 3339, UTC). The very same value as `before` where nothing changed.

    Ready is always told; the other conditions once they were True (API conventions: conditions that are unusual may be absent).
    """
    said = troubles(ref, graph, facts)
    waits = facts.approval is not None and not facts.wrote and before is not None
    is_behind = waits or ref not in graph.resources or any(trouble.reason in _BEHIND for trouble in said)
    runs = _runs_before(before) if is_behind else _runs(ref, graph)
    change = _change(ref, graph, facts, before, runs, at)
    after = Standing(
        observed_generation=facts.generation if facts.generation is not None else before and before.observed_generation,
        revision=(change.revision if change is not None else _known(before, facts)) or None,
        conditions=tuple(_conditions(said, before, at)),
        placement=_placement(ref, graph, before),
        image=runs[0],
        digest=runs[1],
        last_change=change or (before and before.last_change),
        history=_history(change, before),
    )
    return before if before is not None and after == before else after


def _known(before: Standing | None, facts: Facts) -> str:
    return (before and before.revision) or facts.revision


def _conditions(said: tuple[Trouble, ...], before: Standing | None, at: str) -> Iterator[Condition]:
    old: dict[str, Condition] = {one.type: one for one in before.conditions} if before is not None else {}
    first = said[0]
    yield _condition(READY, first.reason.ready, first.reason, first.message, old.get(READY), at)
    for name in _ABNORMAL:
        cause = next((one for one in said if one.reason.marks == name), None)
        if cause is not None:
            yield _condition(name, "True", cause.reason, cause.message, old.get(name), at)
        elif name in old:
            yield _condition(name, "False", f"Not{name}", "", old[name], at)


def _condition(type: str, status: str, reason: str, message: str, old: Condition | None, at: str) -> Condition:
    since = old.last_transition_time if old is not None and old.status == status else at
    return Condition.model_validate(
        {"type": type, "status": status, "reason": str(reason), "message": cut(message), "last_transition_time": since}
    )


def _placement(ref: Ref, graph: Graph, before: Standing | None) -> Placement | None:
    match graph.placements.get(ref):
        case Placed(machine=machine):
            return Placement(machine=machine)
        case Unplaced(reason=reason):
            return Placement(reason=cut(reason))
        case None:
            return before.placement if before is not None and ref not in graph.resources else None


def _runs_before(before: Standing | None) -> tuple[str | None, str | None]:
    return (before.image, before.digest) if before is not None else (None, None)


def _runs(ref: Ref, graph: Graph) -> tuple[str | None, str | None]:
    """Image with its tag, and digest: what runs, or of an Image the build that the lock names."""
    if ref.kind == "Image":
        builds = graph.lock.builds(ref.name)
        return (f"{ref.name}:{builds.current.tag}", builds.current.digest) if builds else (None, None)
    use = _KINDS[ref.kind].image(graph.resources[ref])
    name = use.image.short if use is not None else ""
    match graph.choices.get(ref):
        case Locked(build=build) | Held(build=build):
            return f"{name}:{build.tag}", build.digest
        case Unverified(tag=tag):
            return f"{name}:{tag}", None
        case _:
            return None, None


def _change(ref: Ref, graph: Graph, facts: Facts, before: Standing | None, runs: tuple[str | None, str | None], at: str) -> Change | None:
    """What this pass changed of it, if anything."""
    other = before is not None and runs != (before.image, before.digest)
    if not (facts.wrote or facts.repaired or other):
        return None
    repair = facts.repaired and not facts.wrote and not other
    reason = "drift repaired" if repair else _why(ref, graph) if other or before is None else "commit"
    revision = _known(before, facts) if repair else facts.revision
    return Change(at=at, revision=cut(revision), image=runs[0], digest=runs[1], reason=cut(reason))


def _why(ref: Ref, graph: Graph) -> str:
    match graph.choices.get(ref):
        case Held(build=build, hold=hold):
            return f"hold at {build.tag}{told(hold)}"
        case Unverified(tag=tag, hold=hold) if hold is not None:
            return f"hold at {tag}, unverified{told(hold)}"
        case _:
            return "commit"


def _history(change: Change | None, before: Standing | None) -> tuple[Change, ...]:
    """Earlier changes, the newest first, each once; what differs in nothing but its time counts as the same."""
    if before is None or change is None or before.last_change is None:
        return before.history if before is not None else ()
    seen, kept = {_timeless(change)}, []
    for one in (before.last_change, *before.history):
        if _timeless(one) not in seen:
            seen.add(_timeless(one))
            kept.append(one)
    return tuple(kept[:HISTORY])


def _timeless(change: Change) -> tuple[str | None, ...]:
    return change.revision, change.image, change.digest, change.reason


def changed(ref: Ref, namespace: str, before: Standing | None, after: Standing) -> tuple[ConditionChanged, ...]:
    """What is worth telling: conditions with another status or reason. Of what is new, only what is not as it should be: not that it begins."""
    old = {one.type: one for one in before.conditions} if before is not None else {}
    return tuple(
        ConditionChanged(ref, namespace, now.type, old[now.type].status if now.type in old else "", now.status, now.reason, now.message)
        for now in after.conditions
        if (_differs(old[now.type], now) if now.type in old else (now.type == READY) != (now.status == "True"))
        if before is not None or now.reason != Reason.ROLLING_OUT
    )


def _differs(before: Condition, after: Condition) -> bool:
    return (before.status, before.reason) != (after.status, after.reason)
