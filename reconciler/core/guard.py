"""Guards: steps that take too much down wait until a person says so. Creates and updates go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.core.inventory import Inventory
from reconciler.core.render import owner_of
from reconciler.core.world import Options, World
from reconciler.model.fleet import Guards
from reconciler.model.graph import Graph
from reconciler.model.manifests import ObjectId
from reconciler.model.plan import Delete, Step, Update
from reconciler.model.refs import Ref

_ALWAYS = frozenset({"Namespace", "PersistentVolumeClaim"})
"""Kinds whose deletion always waits for a person. With its namespace everything else of a tenant waits, too: quota, policies, rights."""


def stricter(declared: Guards, inventory: Inventory) -> Guards:
    """The guards that count: the stricter of those declared now and those of the last apply."""
    last = inventory.guards
    return Guards(percent=min(declared.percent, last.percent), services=min(declared.services, last.services)) if last else declared


def guarded(steps: Iterable[Step], graph: Graph, world: World, options: Options) -> tuple[Step, ...]:
    """The steps, those that a guard holds marked as guarded."""
    steps = tuple(steps)
    if options.allow_delete is not None and options.allow_delete == taken_down(steps):
        return steps
    guards = stricter(graph.environment.sync.guards, world.inventory)
    falling = {owner for step in steps if (owner := _falls(step, graph))}
    deletes = [step.observed for step in steps if isinstance(step, Delete)]
    leaving = {owner_of(observed.body["metadata"]["labels"]) for observed in deletes if observed.id.kind == "Namespace"}
    living = {
        owner
        for observed in world.objects.values()
        if observed.id.kind in ("Deployment", "CronJob")
        for owner in [_owner(observed.id, world)]
    }
    too_many = len(falling & living) > guards.services or len(falling & living) * 100 > guards.percent * len(living)
    hold_all = too_many or not world.inventory.exists
    return tuple(_marked(step, falling if hold_all else leaving, hold_all=hold_all) for step in steps)


def taken_down(steps: Iterable[Step]) -> int:
    """How many objects these steps take down: the number that `--allow-delete` must name."""
    return sum(isinstance(step, Delete) or (isinstance(step, Update) and scales_to_zero(step)) for step in steps)


def scales_to_zero(step: Update) -> bool:
    """Whether an update stops a workload that runs."""
    return any(change.path == "/spec/replicas" and change.after == 0 and change.before != 0 for change in step.changes)


def _falls(step: Step, graph: Graph) -> Ref | None:
    match step:
        case Delete(observed=observed):
            owner = owner_of(observed.body["metadata"]["labels"])
            is_whole = observed.id.kind in ("Deployment", "CronJob", "Namespace") or owner not in graph.resources
            return owner if is_whole else None
        case Update() if scales_to_zero(step):
            return step.manifest.owner
        case _:
            return None


def _owner(id: ObjectId, world: World) -> Ref:
    return owner_of(world.objects[id].body["metadata"].get("labels", {}))


def _marked(step: Step, held: set[Ref], *, hold_all: bool) -> Step:
    match step:
        case Delete(observed=observed):
            holds = observed.id.kind in _ALWAYS or owner_of(observed.body["metadata"]["labels"]) in held
            return replace(step, guarded=True) if holds else step
        case Update() if hold_all and scales_to_zero(step):
            return replace(step, guarded=True)
        case _:
            return step
