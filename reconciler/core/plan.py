"""Plan: the steps from what is live to what is desired. The server's previews decide; guards hold what takes too much down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.core.guard import guarded
from reconciler.core.notes import notes
from reconciler.core.ownership import fields_of, managers_of, owned_values, strippable
from reconciler.core.prune import prune
from reconciler.core.reasons import reasons
from reconciler.core.refusals import fix
from reconciler.core.world import DEFAULT, Options, World
from reconciler.model.answers import Accepted, Answer, Refused
from reconciler.model.canonical import digest
from reconciler.model.findings import Finding
from reconciler.model.graph import Graph
from reconciler.model.manifests import ENVIRONMENT_LABEL, MANAGER, Manifest, ObjectId, Observed
from reconciler.model.plan import Block, Change, Create, Delete, Foreseen, Plan, Step, Update, step_id
from reconciler.model.value import dataclass

IMMUTABLE = "delete the object by hand when its loss is acceptable, or undo the edit"


Previews = Mapping[ObjectId, Answer | Foreseen]
"""The target's answers to dry-runs: for what is ours, what would change."""


@dataclass(frozen=True, slots=True)
class Revision:
    """The commit that a plan is of."""

    name: str
    dirty: bool = False


def plan(
    graph: Graph,
    desired: tuple[Manifest, ...],
    world: World,
    previews: Previews,
    revision: Revision,
    options: Options = DEFAULT,
    findings: Iterable[Finding] = (),
) -> Plan:
    """The plan. `previews` hold the server's answer for each object that `differ` named; a new one without an answer was not asked about yet, or is not to be."""
    chosen = tuple(manifest for manifest in desired if not options.only or str(manifest.owner) in options.only)
    writes = [step for manifest in chosen for step in decide(graph, manifest, world, previews, options)]
    deletes = prune(graph, {manifest.id: manifest for manifest in desired}, world, options)
    steps = guarded((*writes, *deletes), graph, world, options)
    return Plan(
        hash=hash_of(graph, steps),
        revision=revision.name,
        dirty=revision.dirty,
        environment=graph.environment.name,
        steps=steps,
        notes=notes(graph),
        findings=(*graph.findings, *findings),
        unchanged=len(chosen) - len(writes),
    )


def decide(graph: Graph, manifest: Manifest, world: World, previews: Previews, options: Options) -> tuple[Step, ...]:
    """The step for one desired object: none when it is live as it should be."""
    live = world.objects.get(manifest.id)
    match previews.get(manifest.id):
        case None if live is None:
            return (Create(manifest, reasons(graph, manifest, None, (), ())),)
        case None:
            return ()
        case Refused() as refused:
            return (_refused(manifest, refused),)
        case Foreseen(changes=changed):
            assert live is not None, "only what is ours and lives is foreseen so"
            return _update(graph, manifest, live, changed)
        case Accepted(created=True):
            return (Create(manifest, reasons(graph, manifest, None, (), ())),)
        case Accepted(body=body):
            return (_foreign(manifest, body, options),)


def _update(graph: Graph, manifest: Manifest, live: Observed, changed: tuple[Change, ...]) -> tuple[Step, ...]:
    hands = strippable(live.body)
    if not changed and not hands:
        return ()
    return (Update(manifest, live, changed, reasons(graph, manifest, live, changed, hands), hands),)


def _foreign(manifest: Manifest, body: Mapping[str, object], options: Options) -> Step:
    managers = tuple(name for name in managers_of(body) if name != MANAGER) or ("another environment",)
    if options.adopt:
        return Create(manifest, (f"taken over from {', '.join(managers)}",), adopts=managers)
    labels = body["metadata"].get("labels", {})  # type: ignore[attr-defined]
    reason = f"it exists and is not ours; it is managed by {', '.join(managers)}"
    if labels.get(ENVIRONMENT_LABEL) != manifest.body["metadata"]["labels"][ENVIRONMENT_LABEL]:
        reason += f" (environment {labels[ENVIRONMENT_LABEL]})" if ENVIRONMENT_LABEL in labels else ""
    return _block(manifest, reason, "look at it, then take it over with --adopt, or rename ours", conflict=True)


def _refused(manifest: Manifest, refused: Refused) -> Block:
    if refused.managers:
        reason = f"it exists and is not ours; it is managed by {', '.join(refused.managers)}"
        return _block(manifest, reason, "look at it, then take it over with --adopt, or rename ours", conflict=True)
    if refused.status == 422 and "immutable" in refused.message:
        return _block(manifest, f"an immutable field would change: {refused.message}", IMMUTABLE)
    return _block(manifest, f"the server refuses it ({refused.status} {refused.reason}): {refused.message}", fix(refused))


def _block(manifest: Manifest, reason: str, fix: str, *, conflict: bool = False) -> Block:
    return Block(manifest.id, str(manifest.owner), manifest.stage, manifest.wave, reason, fix, conflict)


def hash_of(graph: Graph, steps: Iterable[Step]) -> str:
    """What approvals bind to: environment, lock, and each step with what is desired and what our fields hold now."""
    lock = {name: builds.current.digest for name, builds in graph.lock.images.items()}
    return digest([graph.environment.id, lock, [_signature(step) for step in steps]])


def _signature(step: Step) -> list[str]:
    name = str(step_id(step))
    match step:
        case Create(manifest=manifest, adopts=adopts):
            return ["create", name, manifest.digest, *adopts]
        case Update(manifest=manifest, observed=observed, strips=strips):
            return ["update", name, manifest.digest, digest(owned_values(observed.body, fields_of(observed.body) or {})), *strips]
        case Delete(observed=observed):
            return ["delete", name, observed.uid]
        case Block(reason=reason):
            return ["block", name, reason]
