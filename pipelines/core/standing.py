"""Standing: which builds of a lock count today - what is current, what is held - and which services run them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipelines.core.uses import holds
from reconciler.model.graph import Graph, Held, Locked
from reconciler.model.lock import Build
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """A build that counts."""

    image: str
    build: Build
    is_current: bool
    services: tuple[str, ...] = ()
    """That run it: `platform/web`."""


def running(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """By digest, the services that run it, as far as files and lock can tell."""
    found: dict[str, set[str]] = {}
    for ref, choice in graph.choices.items():
        if isinstance(choice, Locked | Held):
            found.setdefault(choice.build.digest, set()).add(ref.short)
    return {digest: tuple(sorted(services)) for digest, services in found.items()}


def standing(graph: Graph, images: Collection[str] = ()) -> tuple[Standing, ...]:
    """Of these images, or of all: the current builds, what holds name, and what runs. By image, the current build first."""
    runs, wanted = running(graph), holds(graph)
    found = []
    for name, builds in sorted(graph.lock.images.items()):
        if images and name not in images:
            continue
        counts = {builds.current.digest: builds.current}
        counts |= {one.digest: one for one in builds.builds if one.digest in runs or (name, one.tag) in wanted}
        found += [Standing(name, one, one is builds.current, runs.get(one.digest, ())) for one in counts.values()]
    return tuple(found)
