"""Conclude: what a run has shown of builds, by what it wrote and what it saw healthy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.core.fallback import digest_of, images, is_late, target, tells
from reconciler.core.health import Failed, Health, Healthy
from reconciler.core.world import World
from reconciler.model.graph import Graph, Locked
from reconciler.model.kind import Kind
from reconciler.model.manifests import Manifest, ObjectId
from reconciler.model.refs import Ref
from reconciler.model.track import Track
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did and saw of workloads."""

    health: Mapping[ObjectId, Health]
    """As last seen, of what was waited for."""
    since: Mapping[ObjectId, datetime]
    """When it wrote them."""


def concluded(
    planned: Sequence[Manifest], world: World, tracks: Mapping[Ref, Track], falling: Collection[Ref], run: Ran
) -> Mapping[Ref, Track]:
    """The tracks at the end of a run."""
    found = dict(tracks)
    for ref, many in _workloads(planned, falling).items():
        track, digest = tracks.get(ref, Track()), digest_of(many[0].body)
        if digest and all(isinstance(run.health.get(one.id), Healthy) and _runs(one, world, run) for one in many):
            well = replace(track, healthy=digest)
            found[ref] = replace(well, tried="", since="") if track.tried == digest else well
        elif track.tried == digest and (begun := [run.since[one.id] for one in many if one.id in run.since]):
            found[ref] = replace(track, since=max(begun).isoformat())
    return found


def _workloads(planned: Iterable[Manifest], falling: Collection[Ref]) -> Mapping[Ref, Sequence[Manifest]]:
    found: dict[Ref, list[Manifest]] = defaultdict(list)
    for manifest in planned:
        if manifest.owner in falling and tells(manifest.body):
            found[manifest.owner].append(manifest)
    return found


def _runs(manifest: Manifest, world: World, run: Ran) -> bool:
    """Whether it really is that build which was seen: the run wrote it, or it was live before."""
    live = world.objects.get(manifest.id)
    return manifest.id in run.since or (live is not None and digest_of(live.body) == digest_of(manifest.body))


def failing(
    planned: Sequence[Manifest], graph: Graph, kinds: tuple[Kind, ...], tracks: Mapping[Ref, Track], run: Ran, now: datetime
) -> Mapping[Ref, str]:
    """Services with a build that the next look at them will put back: a run ended on it."""
    falling, found = images(graph, kinds), {}
    for ref, many in _workloads(planned, falling).items():
        choice, track = graph.choices[ref], tracks.get(ref, Track())
        if not isinstance(choice, Locked) or choice.build.digest != track.tried or target(graph, falling[ref], track, choice.build) is None:
            continue
        states = [run.health.get(one.id) for one in many]
        if any(isinstance(one, Failed) for one in states) or (Healthy() not in states and is_late(graph, track, now)):
            found[ref] = track.tried
    return found
