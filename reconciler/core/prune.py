"""Prune: which live objects of ours nobody declares any more. What is broken, kept, unplaced or waits for a build stays.

An object that we applied is ours though the inventory does not know it: a writer that lost the Lease may create what it had planned.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.render import owner_of
from reconciler.core.world import Options, World
from reconciler.model.findings import errors
from reconciler.model.graph import Graph, Missing, Unplaced
from reconciler.model.manifests import RANK, Manifest, ObjectId, Observed, Stage
from reconciler.model.plan import Delete
from reconciler.model.refs import Ref


def prune(graph: Graph, desired: dict[ObjectId, Manifest], world: World, options: Options) -> tuple[Delete, ...]:
    """Deletions in the order in which they are done: workloads before what they stand on, namespaces last."""
    if not options.prune or graph.fleet.broken or errors(graph.fleet.findings):
        return ()
    steps = [step for observed in world.objects.values() if observed.id not in desired for step in _delete(graph, observed, world, options)]
    return tuple(
        sorted(steps, key=lambda step: (-step.stage, -RANK.get((step.observed.id.group, step.observed.id.kind), 0), step.observed.id))
    )


def _delete(graph: Graph, observed: Observed, world: World, options: Options) -> Iterator[Delete]:
    owner = owner_of(observed.body["metadata"]["labels"])
    if options.only and str(owner) not in options.only:
        return
    if stays(graph, owner, options):
        return
    if owner in graph.resources:
        reason = "superseded: its content has a new name" if observed.id.kind == "ConfigMap" else f"{owner} no longer renders it"
    elif observed.id in world.inventory.entries and (path := world.inventory.entries[observed.id].path):
        reason = f"{path} is gone"
    else:
        reason = f"{owner} is no longer declared"
    yield Delete(observed, str(owner), _stage(observed), (reason,))


def stays(graph: Graph, owner: Ref, options: Options) -> bool:
    """Whether what lives of `owner` stays as it runs, whatever is rendered now."""
    if owner in graph.kept or owner in graph.fleet.broken:
        return True
    if isinstance(graph.placements.get(owner), Unplaced):
        return not options.prune_unplaced
    return isinstance(graph.choices.get(owner), Missing)


def _stage(observed: Observed) -> Stage:
    if observed.id.kind == "Namespace":
        return Stage.NAMESPACES
    is_tenancy = observed.body["metadata"]["labels"].get("fleetwright.dev/kind") == "Tenant"
    return Stage.TENANCY if is_tenancy else Stage.WORKLOADS
