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


def holds(graph: Graph) -> frozenset[tuple[str, str]]:
    """Image and tag of each hold, in whichever environment it holds, and of what goes nowhere here, too."""
    found = (kind.image(resource) for kind in KINDS for resource in graph.fleet.of_kind(kind.name))
    return frozenset((use.image.short, use.hold.tag) for use in found if use is not None and use.hold is not None)


def held(graph: Graph, image: str) -> frozenset[str]:
    """Tags of an image that holds name: those builds stay in the lock."""
    return frozenset(tag for name, tag in holds(graph) if name == image)


def runs(choice: Choice | None) -> str:
    """The digest or tag that a choice means; empty where nothing may run."""
    match choice:
        case Locked(build=build) | Held(build=build):
            return build.digest
        case Unverified(tag=tag):
            return tag
        case _:
            return ""
