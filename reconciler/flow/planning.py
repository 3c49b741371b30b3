"""Planning: observe, differ, preview by the server's dry-run, plan. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace

from reconciler.core.acting import acting, opens
from reconciler.core.approval import Question
from reconciler.core.changes import changes
from reconciler.core.differ import differ
from reconciler.core.fallback import images
from reconciler.core.handover import handed_over
from reconciler.core.identity import moved, record_id
from reconciler.core.ownership import is_ours, strippable
from reconciler.core.plan import Previews, Revision, plan
from reconciler.core.put_back import honoured, put_back
from reconciler.core.refusals import lacks_right
from reconciler.core.render import render
from reconciler.core.sharing import Sharing
from reconciler.core.world import Options, Outlines, World, behold, without_leaving
from reconciler.flow.equality import Equality
from reconciler.flow.fan import fan
from reconciler.model.findings import Finding
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.manifests import ENVIRONMENT_LABEL, SHAPES, Manifest, ObjectId, Observed
from reconciler.model.plan import Foreseen, Plan
from reconciler.model.refs import Ref
from reconciler.model.track import Track
from reconciler.model.value import dataclass
from reconciler.ports import Accepted, Answer, Cluster, Glance, Refused, whole


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and what it was made from: an apply needs both."""

    plan: Plan
    graph: Graph
    desired: tuple[Manifest, ...]
    world: World
    options: Options
    deferred: frozenset[ObjectId]
    """New objects that can be previewed only once their namespace, or the rights of its account, are there."""
    unseen: frozenset[ObjectId] = frozenset()
    """Live objects that cannot be previewed before this plan gives their tenant's account its rights back: plan again after it."""
    tracks: Mapping[Ref, Track] = field(default_factory=dict)
    """What is known of builds: the inventory keeps it before anything is written."""
    falling: frozenset[Ref] = frozenset()
    """Services whose builds are put back when they fail."""
    question: Question | None = None
    """What a wave waits for, where the plan was cut off behind it."""


Judge = Callable[[Graph, World], Mapping[Ref, Track]]
"""Says what is known of builds, from a graph as git has it and from what is live."""


class EnvironmentMoved(Exception):
    """The environment has another id than when it was installed. `finding` says which and where."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class _Sight:
    """Compares each live object with its manifest as it comes in, and lets go of the body of what is as it should be."""

    def __init__(self, manifests: Iterable[Manifest], equality: Equality, telling: frozenset[Ref]) -> None:
        """Bodies of owners that are `telling` are kept: their builds are judged by them."""
        self._rendered = {manifest.id: manifest for manifest in manifests}
        self._desired: dict[ObjectId, Manifest] = {}
        self._settled: set[ObjectId] = set()
        self._equality, self._telling = equality, telling
        equality.look(len(self._rendered))
        self._share, self._outline = Sharing(), Outlines()

    def desired_of(self, manifest: Manifest, live: Observed | None) -> Manifest:
        """What is desired of an object now that it is known what lives."""
        if self._rendered.get(manifest.id) is manifest:
            return self._desired.get(manifest.id, manifest)
        self._settled.discard(manifest.id)
        desired = handed_over(manifest, live)
        if live is not None and not differ((desired,), {manifest.id: live}, self._equality.is_equal):
            self._settled.add(manifest.id)
        return desired

    def is_settled(self, id: ObjectId) -> bool:
        """Whether it lives as it is desired."""
        return id in self._settled

    def __call__(self, observed: Observed) -> Observed:
        """What is kept of it."""
        rendered = self._rendered.get(observed.id)
        if rendered is None:
            return observed
        manifest = handed_over(rendered, observed)
        if manifest is rendered:
            self._desired.pop(observed.id, None)
        else:
            self._desired[observed.id] = manifest
        if differ((manifest,), {observed.id: observed}, self._equality.is_equal):
            self._settled.discard(observed.id)
            return replace(observed, body=self._share(observed.body))
        self._equality.alike(manifest, observed)
        self._settled.add(observed.id)
        return observed if rendered.owner in self._telling else self._outline(observed, manifest)


async def observe(cluster: Cluster, graph: Graph, glance: Glance = whole) -> World:
    """Everything with our environment's label, by a few LISTs. Raises EnvironmentMoved when the target knows the environment by another id."""
    recorded = await cluster.read(record_id(graph))
    if wrong := moved(graph, recorded):
        raise EnvironmentMoved(wrong)
    found = await cluster.list({ENVIRONMENT_LABEL: graph.environment.id}, SHAPES, glance)
    return replace(behold(found), is_recorded=recorded is not None)


async def make_plan(
    cluster: Cluster,
    graph: Graph,
    kinds: tuple[Kind, ...],
    revision: Revision,
    options: Options,
    equality: Equality,
    findings: Iterable[Finding] = (),
    rendered: tuple[Manifest, ...] | None = None,
    judge: Judge = honoured,
) -> Planned:
    """What an apply of `graph` would do to the target. `rendered` are its manifests, where they are known. Raises EnvironmentMoved.

    What an operator put back stays put back, whoever plans; only one who judges changes that.
    """
    rendered = render(graph, kinds) if rendered is None else rendered
    falling = frozenset(images(graph, kinds))
    sight = _Sight(rendered, equality, falling)
    world = await observe(cluster, graph, sight)
    tracks = judge(graph, world)
    graph, manifests = put_back(graph, rendered, kinds, tracks)
    world = without_leaving(world, {manifest.id for manifest in manifests})
    desired = tuple(sight.desired_of(manifest, world.objects.get(manifest.id)) for manifest in manifests)
    chosen = tuple(manifest for manifest in desired if not options.only or str(manifest.owner) in options.only)
    suspects = tuple(manifest for manifest in chosen if not sight.is_settled(manifest.id) or manifest.id not in world.objects)
    del sight  # what it shared is a lot of memory, and dry-runs take their time
    previews, deferred = await _previews(cluster, suspects, world, options)
    unseen = deferred & world.objects.keys()
    found = await _unlabelled(cluster, previews, world)
    if found:
        world = replace(world, objects={**world.objects, **found})
        previews |= await preview(cluster, [manifest for manifest in suspects if manifest.id in found], world, options)
    _remember(suspects, previews, world, equality)
    made = plan(graph, desired, world, previews, revision, options, findings)
    return Planned(made, graph, desired, world, options, deferred - unseen, unseen, tracks, falling)


async def _previews(
    cluster: Cluster, suspects: tuple[Manifest, ...], world: World, options: Options
) -> tuple[dict[ObjectId, Answer | Foreseen], frozenset[ObjectId]]:
    namespaces = [manifest for manifest in suspects if manifest.id.kind == "Namespace"]
    previews = await preview(cluster, namespaces, world, options)
    coming = {id.name for id, answer in previews.items() if isinstance(answer, Accepted) and answer.created}
    rest = [manifest for manifest in suspects if manifest.id.kind != "Namespace"]
    deferred = frozenset(manifest.id for manifest in rest if manifest.id.namespace in coming)
    asked = [manifest for manifest in rest if manifest.id not in deferred]
    previews |= await preview(cluster, asked if options.preflight else await _standing(cluster, asked, world), world, options)
    denied = _denied(previews, suspects)
    return {id: answer for id, answer in previews.items() if id not in denied}, deferred | denied


def _denied(previews: Previews, suspects: Iterable[Manifest]) -> frozenset[ObjectId]:
    """What a tenant's account may not even preview where this plan is about to write its rights: a run died before it did, or somebody took them."""
    opening = {manifest.id.namespace for manifest in suspects if opens(manifest.id)}
    theirs = (manifest.id for manifest in suspects if manifest.id.namespace in opening and acting(manifest.body))
    return frozenset(id for id in theirs if isinstance(answer := previews.get(id), Refused) and lacks_right(answer))


async def _standing(cluster: Cluster, manifests: Iterable[Manifest], world: World) -> list[Manifest]:
    """Those of which an object is there already, whoever made it: what is in nobody's way needs no dry-run to be left alone."""
    manifests = tuple(manifests)
    unknown = await fan([manifest.id for manifest in manifests if manifest.id not in world.objects], cluster.read)
    there = {*world.objects, *(observed.id for observed in unknown if observed is not None)}
    return [manifest for manifest in manifests if manifest.id in there]


async def _unlabelled(cluster: Cluster, previews: Previews, world: World) -> dict[ObjectId, Observed]:
    """Objects that the inventory knows by their uid and that we have applied, but whose label somebody took away: drift, not strangers."""
    there = [id for id, answer in previews.items() if id in world.inventory.entries and id not in world.objects and _stands(answer)]
    found = [observed for observed in await fan(there, cluster.read) if observed is not None]
    return {one.id: one for one in found if is_ours(one.body) and one.uid == world.inventory.entries[one.id].uid}


def _stands(answer: Answer | Foreseen) -> bool:
    match answer:
        case Foreseen():
            return True
        case Accepted(created=created):
            return not created
        case Refused(managers=managers):
            return bool(managers)


async def preview(cluster: Cluster, manifests: Iterable[Manifest], world: World, options: Options) -> dict[ObjectId, Answer | Foreseen]:
    """The server's answer to each, by dry-run: forced on what is ours, never on foreign objects unless they are adopted."""

    async def ask(manifest: Manifest) -> tuple[ObjectId, Answer | Foreseen]:
        return manifest.id, await foresee(cluster, manifest, world.objects.get(manifest.id), adopt=options.adopt)

    return dict(await fan(manifests, ask))


async def foresee(cluster: Cluster, manifest: Manifest, live: Observed | None, *, adopt: bool = False) -> Answer | Foreseen:
    """The server's answer to one, as much of it as is looked at again: the bodies of thousands are a lot of memory."""
    answer = await cluster.apply(manifest.body, dry_run=True, force=live is not None or adopt, live=live)
    match answer:
        case Accepted(created=True):
            return Accepted({}, created=True)
        case Accepted(body=body) if live is not None:
            return Foreseen(changes(live.body, body))
        case _:
            return answer


def _remember(suspects: Iterable[Manifest], previews: Previews, world: World, equality: Equality) -> None:
    for manifest in suspects:
        live, answer = world.objects.get(manifest.id), previews.get(manifest.id)
        if live and answer == Foreseen(()) and not strippable(live.body):
            equality.remember(manifest, live)
