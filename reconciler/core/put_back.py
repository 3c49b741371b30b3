"""Put back: the fleet with the holds that an operator set in place of builds that failed. Whoever plans honours them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from reconciler.core.render import ordered, render_some
from reconciler.core.world import World
from reconciler.model.graph import Graph, Held, Locked
from reconciler.model.holds import Hold
from reconciler.model.kind import Kind
from reconciler.model.lock import Build
from reconciler.model.manifests import Manifest
from reconciler.model.refs import Ref
from reconciler.model.track import PutBack, Track

OPERATOR = "the operator"
"""Who set such a hold, for whoever reads it."""


def honoured(graph: Graph, world: World) -> Mapping[Ref, Track]:
    """The tracks as they stand: what everybody but an operator goes by."""
    del graph
    return world.inventory.tracks


def in_force(graph: Graph, tracks: Mapping[Ref, Track]) -> Mapping[Ref, Held]:
    """Choices that the operator made in place of git's: as long as git asks for the very build that failed."""
    found = {}
    for ref, track in tracks.items():
        choice, hold = graph.choices.get(ref), track.hold
        if hold is not None and isinstance(choice, Locked) and choice.build.digest == hold.failed:
            found[ref] = Held(_build(graph, hold), Hold.model_construct(tag=hold.tag, reason=hold.reason, by=OPERATOR), put_back=True)
    return found


def _build(graph: Graph, hold: PutBack) -> Build:
    """The build that it names. A lock that has forgotten it meanwhile changes nothing: it passed the gate."""
    known = (one for builds in graph.lock.images.values() for one in builds.builds if one.digest == hold.digest)
    return next(known, Build(hold.digest, hold.tag, "", date.min))


def held_back(graph: Graph, tracks: Mapping[Ref, Track]) -> Graph:
    """The graph with what the operator put back; the same one where there is nothing of that."""
    held = in_force(graph, tracks)
    return replace(graph, choices={**graph.choices, **held}) if held else graph


def put_back(
    graph: Graph, manifests: tuple[Manifest, ...], kinds: tuple[Kind, ...], tracks: Mapping[Ref, Track]
) -> tuple[Graph, tuple[Manifest, ...]]:
    """Graph and manifests with what the operator put back: only what is held is rendered again."""
    after = held_back(graph, tracks)
    if after is graph:
        return graph, manifests
    refs = [ref for ref, choice in after.choices.items() if choice is not graph.choices[ref] and ref in graph.resources]
    gone = {manifest.id for manifest in render_some(graph, kinds, refs)}
    return after, ordered((*(one for one in manifests if one.id not in gone), *render_some(after, kinds, refs)))
