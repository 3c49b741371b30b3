"""Uses: which workloads run an image, and which of its builds holds name."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds import KINDS
from reconciler.model.graph import Choice, Graph, Held, Locked, Unverified
from reconciler.model.holds import ImageUse
from reconciler.model.refs import Ref


def uses(graph: Graph) -> Iterator[tuple[Ref, ImageUse]]:
    """Every workload of the graph that runs an image, and which one."""
    table = {kind.name: kind for kind in KINDS}
    for ref, resource in graph.resources.items():
        if (use := table[ref.kind].image(resource)) is not None:
            yield ref, use


def users(graph: Graph, image: str) -> tuple[Ref, ...]:
    """What runs an image."""
    return tuple(ref for ref, use in uses(graph) if use.image.short == image)


def held(graph: Graph, image: str) -> frozenset[str]:
    """Tags of an image that holds name, in whichever environment: those builds stay in the lock."""
    return frozenset(use.hold.tag for _, use in uses(graph) if use.hold is not None and use.image.short == image)


def runs(choice: Choice | None) -> str:
    """The digest or tag that a choice means; empty where nothing may run."""
    match choice:
        case Locked(build=build) | Held(build=build):
            return build.digest
        case Unverified(tag=tag):
            return tag
        case _:
            return ""
