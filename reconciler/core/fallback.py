"""Fallback: whether a new build of a service is given up, what is put back in its place, and when that ends. Once for each build, never twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from reconciler.core.health import Failed, Health, Healthy, Progressing, health
from reconciler.core.orders import moment
from reconciler.core.render import owner_of
from reconciler.core.world import World
from reconciler.model.graph import Graph, Held, Locked, Missing, Unverified
from reconciler.model.kind import Kind
from reconciler.model.lock import Build
from reconciler.model.manifests import Body
from reconciler.model.refs import Ref
from reconciler.model.running import suspended
from reconciler.model.track import PutBack, Track
from reconciler.model.value import dataclass

SPENT = 10
"""Builds that a track remembers as put back: as many as a lock keeps."""
_LONGEST = 400


class Seen(NamedTuple):
    """What runs of a service."""

    digest: str
    """Of the build that all its workloads have; empty where they differ, or have none by digest."""
    health: Health
    """The worst of them."""
    where: str = ""
    """The one that it is of."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When it is judged, and what people ask for meanwhile."""

    now: datetime
    released: Mapping[str, str] = field(default_factory=dict)
    """By service: digest or tag of a build that somebody wants tried again."""
    paused: frozenset[str] = frozenset()
    """Owners that are left alone: nothing is decided about them."""


def judge(graph: Graph, kinds: tuple[Kind, ...], world: World, at: Moment) -> Mapping[Ref, Track]:
    """What is known of builds by now. `graph` is as git has it. What is gone, or does not ask for it any more, has no track."""
    tracks, falling = world.inventory.tracks, images(graph, kinds)
    running = seen(falling.keys(), world)
    found = {ref: track for ref, track in tracks.items() if ref in graph.kept or ref in graph.fleet.broken}
    for ref, image in falling.items():
        before = tracks.get(ref, Track())
        is_left = str(ref) in at.paused or suspended(graph, ref.tenant)
        track = before if is_left else _judged(ref, graph, image, before, running.get(ref), at)
        if track != Track():
            found[ref] = track
    return found


def images(graph: Graph, kinds: tuple[Kind, ...]) -> Mapping[Ref, str]:
    """The services that ask for it, each with the image that it runs."""
    table = {kind.name: kind for kind in kinds}
    uses = ((ref, table[ref.kind].image(graph.resources[ref])) for ref in graph.choices if ref in graph.resources)
    return {ref: use.image.short for ref, use in uses if use is not None and use.falls_back}


def seen(refs: Collection[Ref], world: World) -> Mapping[Ref, Seen]:
    """What runs of these services. What is scaled to zero says nothing."""
    bodies: dict[Ref, list[Body]] = defaultdict(list)
    if not refs:
        return {}
    for observed in world.objects.values():
        owner = owner_of(observed.body["metadata"].get("labels", {}))
        if owner in refs and tells(observed.body):
            bodies[owner].append(observed.body)
    return {ref: worst((body, health(body)) for body in those) for ref, those in bodies.items()}


def worst(workloads: Iterable[tuple[Body, Health]]) -> Seen:
    """Several workloads as one."""
    many = tuple(workloads)
    digests = {digest_of(body) for body, _ in many}
    body, state = min(many, key=lambda one: (Failed, Progressing, Healthy).index(type(one[1])))
    where = f"{body['kind']} {body['metadata']['name']}"
    return Seen(digests.pop() if len(digests) == 1 else "", state, where)


def tells(body: Body) -> bool:
    """Whether a workload says something of its build: one that is scaled to zero does not."""
    return bool(body["kind"] == "Deployment" and body["spec"].get("replicas", 1) != 0)


def digest_of(body: Body) -> str:
    """Digest of the image that a workload runs; empty where it runs a tag."""
    containers = body["spec"]["template"]["spec"]["containers"]
    found: str = containers[0]["image"].partition("@")[2] if containers else ""
    return found


def _judged(ref: Ref, graph: Graph, image: str, track: Track, runs: Seen | None, at: Moment) -> Track:
    """The track of one service, moved on."""
    match graph.choices[ref]:
        case Locked(build=build):
            pass
        case Held(build=build):  # a person's hold: whether it runs well is remembered, and it is never put back
            return _remembered(replace(track, hold=None, tried="", since=""), build.digest, runs)
        case Missing():
            return track
        case Unverified():
            return replace(track, hold=None, tried="", since="")
    hold = track.hold
    if hold is not None and hold.failed == build.digest:
        if at.released.get(str(ref)) not in (hold.failed, hold.failed_tag):
            return _remembered(track, hold.digest, runs)
        track = replace(track, hold=None)
    elif hold is not None:
        track = replace(track, hold=None, tried="", since="")
    is_released = at.released.get(str(ref)) in (build.digest, build.tag)  # before it failed: whoever said so looks after it
    return _tried(graph, image, track, build, runs, at.now, gives_up=not is_released)


def _remembered(track: Track, digest: str, runs: Seen | None) -> Track:
    return replace(track, healthy=digest) if runs and runs.digest == digest and isinstance(runs.health, Healthy) else track


def _tried(graph: Graph, image: str, track: Track, build: Build, runs: Seen | None, now: datetime, *, gives_up: bool) -> Track:
    """Of a service that runs what the lock says, or is about to."""
    if runs is None:
        return replace(track, tried="", since="")
    if runs.digest != build.digest:
        known = _remembered(track, runs.digest, runs) if runs.digest else track
        return replace(known, tried=build.digest, since="")
    if isinstance(runs.health, Healthy):
        return replace(track, healthy=build.digest, tried="", since="")
    if track.tried != build.digest and track.healthy in ("", build.digest):
        return track  # it was well before, or was never another: its image is not what changed
    begun = track if track.tried == build.digest and track.since else replace(track, tried=build.digest, since=now.isoformat())
    why = _given_up(graph, begun, runs, now) if gives_up else ""
    to = target(graph, image, begun, build) if why else None
    if to is None:
        return begun
    reason = f"{build.tag} did not become healthy: {why}"
    hold = PutBack(build.digest, build.tag, to.digest, to.tag, reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…")
    return Track(track.healthy, spent=(build.digest, *track.spent)[:SPENT], hold=hold)


def _given_up(graph: Graph, track: Track, runs: Seen, now: datetime) -> str:
    """Why it is not waited for any longer; empty while it is."""
    match runs.health:
        case Failed(reason=reason):
            return f"{runs.where}: {reason}"
        case Progressing(reason=reason) if is_late(graph, track, now):
            return f"{runs.where}: {reason} after {graph.environment.sync.deadline / 1000:g} s"
        case _:
            return ""


def is_late(graph: Graph, track: Track, now: datetime) -> bool:
    """Whether the deadline of a wave has passed since the build was written."""
    begun = moment(track.since)
    return begun is not None and now - begun >= timedelta(milliseconds=graph.environment.sync.deadline)


def target(graph: Graph, image: str, track: Track, build: Build) -> Build | None:
    """What to put back for a build: what ran well here last, else the newest other build that is not marked bad. None after the first time."""
    builds = graph.lock.builds(image)
    if builds is None or build.digest in track.spent:
        return None
    others = [one for one in builds.builds if one.digest != build.digest and not one.bad]
    healthy = next((one for one in others if one.digest == track.healthy), None)
    return healthy or next((one for one in others if one.digest not in track.spent), None)
