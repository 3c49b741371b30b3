"""Subjects: what of a lock is to be signed and verified."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.core.uses import uses
from pipelines.model.oci import Pinned
from pipelines.model.reference import parse_repository
from pipelines.model.trust import Subject
from reconciler.model.graph import Graph, Held, Locked
from reconciler.model.lock import Lock


def subjects(lock: Lock, registry: str, images: Collection[str] = ()) -> tuple[Subject, ...]:
    """Every build in the lock, or those of some images, by image and newest first. `registry` is the environment's: `ghcr.io/acme`."""
    return tuple(
        Subject(name, Pinned(parse_repository(f"{registry}/{name}"), build.digest), build.verdict, build.sbom)
        for name, builds in sorted(lock.images.items())
        if not images or name in images
        for build in builds.builds
    )


def chosen(graph: Graph) -> tuple[Subject, ...]:
    """The builds that the graph would run, each once."""
    found: dict[Pinned, Subject] = {}
    for ref, use in uses(graph):
        match graph.choices.get(ref):
            case Locked(build=build) | Held(build=build):
                at = Pinned(parse_repository(f"{graph.environment.registry}/{use.image.short}"), build.digest)
                found[at] = Subject(use.image.short, at, build.verdict, build.sbom)
            case _:
                continue
    return tuple(found.values())
