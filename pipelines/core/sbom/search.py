"""Search: which images and running services carry what is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.core.sbom.bom import Component
from pipelines.core.sbom.query import Query
from pipelines.core.visible import visible
from reconciler.ports import ComponentRecord, ImageRecord


@dataclass(frozen=True, slots=True)
class Hit:
    """An image that carries it."""

    image: ImageRecord
    components: tuple[ComponentRecord, ...]
    services: tuple[str, ...]
    """Running ones."""


def search(query: Query, found: Iterable[tuple[ImageRecord, ComponentRecord]], running: Mapping[str, Collection[str]]) -> tuple[Hit, ...]:
    """`found` has the names, in any version; `running`: services by digest. What runs comes first, then by image, the newest first."""
    hits: dict[str, tuple[ImageRecord, list[ComponentRecord]]] = {}
    for image, component in found:
        if query.matches(component.ecosystem, component.version):
            hits.setdefault(image.digest, (image, []))[1].append(component)
    every = [Hit(image, tuple(sorted(set(many))), tuple(sorted(running.get(image.digest, ())))) for image, many in hits.values()]
    return tuple(sorted(every, key=lambda hit: (not hit.services, hit.image.image, -hit.image.since.timestamp(), hit.image.digest)))


def record(component: Component) -> ComponentRecord:
    """A component as it is kept for searches."""
    return ComponentRecord(component.ecosystem, component.name, component.version, component.source, component.purl, component.image)


def tell_hits(hits: Iterable[Hit], tags: Mapping[str, str] | None = None) -> Iterator[str]:
    """For each image: what it carries and who brought that, its commit, verdict, since when, and what runs it. `tags`: by digest."""
    for hit in hits:
        image = hit.image
        runs = f"runs in {', '.join(hit.services)}" if hit.services else "nothing runs it"
        since = image.since.date().isoformat()
        name = f"{image.image}:{tag}" if (tag := (tags or {}).get(image.digest)) else image.image
        yield f"{name} {image.digest[:19]} of {visible(image.revision, 40)}, {visible(image.verdict, 60)}, since {since}: {runs}"
        for one in hit.components:
            owner = f", from {one.brought_by}" if one.brought_by not in ("", image.image) else ""
            yield f"  {one.ecosystem} {visible(one.name, 100)} {visible(one.version, 60)}{owner}"
