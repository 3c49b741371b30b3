"""Compare: what an edit means between two revisions, with no target: steps from manifests, and what rebuilds and rolls because of it."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.changes import changes
from reconciler.core.identity import renamed
from reconciler.core.notes import notes
from reconciler.core.plan import Revision
from reconciler.core.prune import stays
from reconciler.core.reasons import reasons
from reconciler.core.world import DEFAULT
from reconciler.model.canonical import digest
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.manifests import Manifest, ObjectId, Observed
from reconciler.model.plan import Create, Delete, Effect, Plan, Rebuild, Roll, Step, Update
from reconciler.model.refs import Ref

Side = tuple[Graph, tuple[Manifest, ...]]
"""One revision: its graph and what it renders."""


def compare(before: Side, after: Side, kinds: tuple[Kind, ...], revision: Revision) -> Plan:
    """The plan from one revision to another: nothing is read from a target, so nothing of it can differ."""
    graph, desired = after
    old = {manifest.id: manifest for manifest in before[1]}
    steps = (*_writes(graph, desired, old), *_deletes(graph, desired, before))
    effects = (*rebuilds(before[0], graph, kinds), *_rolls(before[0], graph, kinds, steps))
    return Plan(
        hash=digest(
            [graph.environment.id, [str(step) for step in effects], [[manifest.digest for manifest in side[1]] for side in (before, after)]]
        ),
        revision=revision.name,
        dirty=revision.dirty,
        environment=graph.environment.name,
        steps=steps,
        effects=effects,
        notes=notes(graph),
        findings=(*renamed(before[0], graph), *graph.findings),
        unchanged=sum(manifest.id in old and old[manifest.id].digest == manifest.digest for manifest in desired),
    )


def _writes(graph: Graph, desired: tuple[Manifest, ...], old: Mapping[ObjectId, Manifest]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for manifest in desired:
        was = old.get(manifest.id)
        if was is None:
            steps.append(Create(manifest, reasons(graph, manifest, None, (), ())))
        elif was.digest != manifest.digest:
            observed, changed = _as_observed(was), changes(was.body, manifest.body)
            steps.append(Update(manifest, observed, changed, reasons(graph, manifest, observed, changed, ())))
    return tuple(steps)


def _deletes(graph: Graph, desired: tuple[Manifest, ...], before: Side) -> tuple[Step, ...]:
    wanted = {manifest.id for manifest in desired}
    gone = [manifest for manifest in reversed(before[1]) if manifest.id not in wanted and not stays(graph, manifest.owner, DEFAULT)]
    return tuple(
        Delete(_as_observed(manifest), str(manifest.owner), manifest.stage, (_why(graph, before[0], manifest),)) for manifest in gone
    )


def _why(graph: Graph, before: Graph, manifest: Manifest) -> str:
    if manifest.owner in graph.resources:
        return f"{manifest.owner} no longer renders it"
    return f"{before.resources[manifest.owner].document.path} is gone"


def _as_observed(manifest: Manifest) -> Observed:
    return Observed(manifest.id, "", "", manifest.body)


def rebuilds(before: Graph, after: Graph, kinds: tuple[Kind, ...]) -> tuple[Rebuild, ...]:
    """What is built again, parents before children, each with the path from the edit that causes it."""
    paths: dict[Ref, tuple[Ref, ...]] = {}
    table = {kind.name: kind for kind in kinds}
    for ref, resource in after.resources.items():  # what runs an image may itself be built; it is nobody's base
        content = table[ref.kind].content(resource, after)
        if content is None:
            continue
        cause = next((parent for parent in after.links.get(ref, ()) if parent in paths and parent not in after.choices), None)
        was = before.resources.get(ref)
        if was is None or table[ref.kind].content(was, before) != content:
            paths[ref] = (ref,)
        elif cause is not None:
            paths[ref] = (*paths[cause], ref)
    return tuple(Rebuild(ref, path) for ref, path in paths.items())


def _rolls(before: Graph, after: Graph, kinds: tuple[Kind, ...], steps: tuple[Step, ...]) -> tuple[Effect, ...]:
    built = {rebuild.resource: rebuild.path for rebuild in rebuilds(before, after, kinds)}
    table = {kind.name: kind for kind in kinds}
    rolls: dict[Ref, tuple[Ref, ...]] = {}
    for step in steps:
        if isinstance(step, Update) and any(change.path.startswith("/spec/template") for change in step.changes):
            rolls[step.manifest.owner] = (step.manifest.owner,)
    for ref, resource in after.resources.items():
        use = table[ref.kind].image(resource)
        if use is None or ref not in before.resources:
            continue
        if ref in built:
            rolls.setdefault(ref, built[ref])
        elif use.image in built:
            rolls.setdefault(ref, (*built[use.image], ref))
    return tuple(Roll(ref, path) for ref, path in rolls.items())
