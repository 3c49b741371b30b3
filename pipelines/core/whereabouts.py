"""Whereabouts: in which environments a build stands in the lock, and what would run it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.core.uses import runs, uses
from reconciler.model.graph import Graph, Held
from reconciler.model.lock import Build
from reconciler.model.refs import Ref
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A build in one environment."""

    environment: str
    image: str
    build: Build
    stands: str
    """`current`, `prev`, or `kept`."""
    users: tuple[Ref, ...]
    held: frozenset[Ref]
    """Those of them that are pinned to it."""


def matching(graph: Graph, wanted: str) -> Iterator[tuple[str, Build]]:
    """Builds of a lock by digest or the beginning of one, or by `NAME:TAG`."""
    name, _, tag = wanted.rpartition(":")
    digits = wanted.removeprefix("sha256:")
    for image, builds in graph.lock.images.items():
        for build in builds.builds:
            if (image == name and build.tag == tag) or (len(digits) >= 7 and build.digest.startswith(f"sha256:{digits}")):
                yield image, build


def whereabouts(graphs: Iterable[Graph], image: str, digest: str) -> Iterator[Whereabouts]:
    """Where a build is, environment by environment."""
    for graph in graphs:
        builds = graph.lock.builds(image)
        build = next((one for one in builds.builds if one.digest == digest), None) if builds else None
        if builds is None or build is None:
            continue
        previous = builds.previous
        is_prev = previous is not None and previous.digest == digest
        stands = "current" if builds.current.digest == digest else "prev" if is_prev else "kept"
        users = tuple(ref for ref, use in uses(graph) if use.image.short == image and runs(graph.choices.get(ref)) == digest)
        held = frozenset(ref for ref in users if isinstance(graph.choices[ref], Held))
        yield Whereabouts(graph.environment.name, image, build, stands, users, held)
