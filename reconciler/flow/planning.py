"""Planning: observe, differ, preview by the server's dry-run, plan. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.core.changes import changes
from reconciler.core.differ import differ
from reconciler.core.ownership import strippable
from reconciler.core.plan import Revision, plan
from reconciler.core.render import render
from reconciler.core.world import Options, World, behold
from reconciler.flow.equality import Equality
from reconciler.flow.fan import fan
from reconciler.model.findings import Finding
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.manifests import ENVIRONMENT_LABEL, SHAPES, Manifest, ObjectId
from reconciler.model.plan import Plan
from reconciler.ports import Accepted, Answer, Cluster


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and what it was made from: an apply needs both."""

    plan: Plan
    graph: Graph
    desired: tuple[Manifest, ...]
    world: World
    options: Options
    deferred: frozenset[ObjectId]
    """Objects that can be previewed only once their namespace is there."""


async def observe(cluster: Cluster, environment: Environment) -> World:
    """Everything with our environment's label, by a few LISTs."""
    return behold(await cluster.list({ENVIRONMENT_LABEL: environment.id}, SHAPES))


async def make_plan(
    cluster: Cluster,
    graph: Graph,
    kinds: tuple[Kind, ...],
    revision: Revision,
    options: Options,
    equality: Equality,
    findings: Iterable[Finding] = (),
) -> Planned:
    """What an apply of `graph` would do to the target."""
    world = await observe(cluster, graph.environment)
    desired = render(graph, kinds)
    chosen = tuple(manifest for manifest in desired if not options.only or str(manifest.owner) in options.only)
    suspects = differ(chosen, world.objects, equality.is_equal)
    previews, deferred = await _previews(cluster, suspects, world, options)
    _remember(suspects, previews, world, equality)
    made = plan(graph, desired, world, previews, revision, options, findings)
    return Planned(made, graph, desired, world, options, deferred)


async def _previews(
    cluster: Cluster, suspects: tuple[Manifest, ...], world: World, options: Options
) -> tuple[dict[ObjectId, Answer], frozenset[ObjectId]]:
    namespaces = [manifest for manifest in suspects if manifest.id.kind == "Namespace"]
    previews = await preview(cluster, namespaces, world, options)
    coming = {id.name for id, answer in previews.items() if isinstance(answer, Accepted) and answer.created}
    rest = [manifest for manifest in suspects if manifest.id.kind != "Namespace"]
    deferred = frozenset(manifest.id for manifest in rest if manifest.id.namespace in coming)
    previews |= await preview(cluster, [manifest for manifest in rest if manifest.id not in deferred], world, options)
    return previews, deferred


async def preview(cluster: Cluster, manifests: Iterable[Manifest], world: World, options: Options) -> dict[ObjectId, Answer]:
    """The server's answer to each, by dry-run: forced on what is ours, never on foreign objects unless they are adopted."""

    async def ask(manifest: Manifest) -> tuple[ObjectId, Answer]:
        force = manifest.id in world.objects or options.adopt
        answer = await cluster.apply(manifest.body, dry_run=True, force=force)
        # That it would be created is all there is to know of a new object; the bodies of thousands are not kept.
        return manifest.id, Accepted({}, created=True) if isinstance(answer, Accepted) and answer.created else answer

    return dict(await fan(manifests, ask))


def _remember(suspects: Iterable[Manifest], previews: Mapping[ObjectId, Answer], world: World, equality: Equality) -> None:
    for manifest in suspects:
        live, answer = world.objects.get(manifest.id), previews.get(manifest.id)
        if live and isinstance(answer, Accepted) and not strippable(live.body) and not changes(live.body, answer.body):
            equality.remember(manifest, live)
