"""Condition: what is to be said of each workload now: how it is, what it runs, where, and what is special about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum

from reconciler.core.health import Failed, Healthy, Progressing, health, waits
from reconciler.core.notes import held_at, told
from reconciler.core.render import owner_of
from reconciler.core.world import World
from reconciler.model.graph import Choice, Graph, Held, Locked, Missing, Placed, Unplaced, Unverified
from reconciler.model.manifests import Observed
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass


class State(StrEnum):
    """How a workload is, worst first."""

    FAILED = "failed"
    PROGRESSING = "progressing"
    ABSENT = "absent"
    UNPLACED = "unplaced"
    PENDING = "pending"
    KEPT = "kept"
    SUSPENDED = "suspended"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Condition:
    """One workload as it is."""

    resource: Ref
    state: State
    detail: str
    machine: str
    image: str
    held: str
    """By whom, until when and why; empty when nobody holds it."""


def conditions(graph: Graph, world: World) -> tuple[Condition, ...]:
    """Every workload that is declared or runs, worst first, then by name."""
    live: dict[Ref, list[Observed]] = defaultdict(list)
    for observed in world.objects.values():
        if waits(observed.body):
            live[owner_of(observed.body["metadata"]["labels"])].append(observed)
    refs = dict.fromkeys([*graph.placements, *(ref for ref in graph.kept if ref.kind == "Service"), *live])
    order = list(State)
    return tuple(
        sorted((_condition(ref, graph, live.get(ref, [])) for ref in refs), key=lambda one: (order.index(one.state), one.resource))
    )


def _condition(ref: Ref, graph: Graph, live: list[Observed]) -> Condition:
    state, detail = _state(ref, graph, live)
    placement, choice = graph.placements.get(ref), graph.choices.get(ref)
    machine = placement.machine if isinstance(placement, Placed) else ""
    return Condition(ref, state, detail, machine, _image(choice), _held(choice))


def _state(ref: Ref, graph: Graph, live: list[Observed]) -> tuple[State, str]:
    placement, choice = graph.placements.get(ref), graph.choices.get(ref)
    worst = _worst(live)
    if ref in graph.kept:
        return State.KEPT, "its spec is broken; it stays as it runs"
    if isinstance(placement, Unplaced) and not live:
        return State.UNPLACED, placement.reason
    if isinstance(choice, Missing) and not live:
        return State.PENDING, choice.reason
    if not live:
        return State.ABSENT, "nothing of it is there: fleet apply"
    if all(observed.body["spec"].get("replicas") == 0 for observed in live):
        return State.SUSPENDED, "scaled to zero"
    return worst


def _worst(live: list[Observed]) -> tuple[State, str]:
    found = [*_judged(live)]
    return min(found, key=lambda one: list(State).index(one[0])) if found else (State.HEALTHY, "")


def _judged(live: list[Observed]) -> Iterator[tuple[State, str]]:
    for observed in live:
        match health(observed.body):
            case Failed(reason=reason):
                yield State.FAILED, reason
            case Progressing(reason=reason):
                yield State.PROGRESSING, reason
            case Healthy():
                yield State.HEALTHY, ""


def _image(choice: Choice | None) -> str:
    match choice:
        case Locked(build=build) | Held(build=build):
            return build.tag
        case Unverified(tag=tag):
            return f"{tag} (unverified)"
        case _:
            return ""


def _held(choice: Choice | None) -> str:
    match choice:
        case Held():
            return held_at(choice)
        case Unverified(tag=tag, hold=hold) if hold is not None:
            return f"held at {tag}, unverified{told(hold)}"
        case _:
            return ""
