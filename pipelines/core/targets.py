"""Tells what of a fleet is built: its images and the services' own builds, parents before children."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pipelines.model.recipe import FromImage, FromPackages, FromRegistry, Start, Target
from reconciler.kinds.image.spec import From, ImageSpec
from reconciler.kinds.service.naming import image_name
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.fleet import Environment, Resource
from reconciler.model.graph import Graph


def targets(graph: Graph) -> tuple[Target, ...]:
    """Everything that is built, in the graph's order. What is broken, or starts from something broken, is left out."""
    return tuple(_targets(graph))


def _targets(graph: Graph) -> Iterator[Target]:
    for resource in graph.resources.values():
        match resource.spec:
            case ImageSpec():
                yield _image(resource, resource.spec, graph.environment)
            case ServiceSpec(build=build) if build is not None:
                start = FromImage(build.image)
                yield Target(
                    resource.ref, image_name(resource), start, build.image, build.context, build.dockerfile, (), dict(build.args), 0,  # type: ignore[arg-type]
                    graph.environment.builder.platforms,
                )  # fmt: skip
            case _:
                pass


def _image(resource: Resource[object], spec: ImageSpec, where: Environment) -> Target:  # type: ignore[type-var]
    return Target(
        resource.ref,
        resource.ref.name,
        _start(spec.from_, where),
        _literal(spec.from_),
        spec.context,
        spec.dockerfile,
        spec.shared,
        dict(spec.args),
        spec.epoch,
        spec.platforms or where.builder.platforms,
    )


def _start(said: From, where: Environment) -> Start:
    if said.image is not None:
        return FromImage(said.image)
    if said.debian is not None:
        return FromPackages(said.debian.suite, tuple(sorted(set(said.debian.packages))))
    reference = said.registry or ""
    stand_in = where.bases.get(reference.partition("@")[0])
    if stand_in is not None and stand_in.debian is not None:
        return FromPackages(stand_in.debian.suite, tuple(sorted(set(stand_in.debian.packages))))
    return FromRegistry((stand_in.registry if stand_in else None) or reference)


def _literal(said: From) -> str:
    if said.debian is not None:
        return f"debian:{said.debian.suite}"
    return said.image or said.registry or ""


def lineage(all: Collection[Target], name: str) -> tuple[Target, ...]:
    """An image and each one of the fleet that the one before starts from."""
    by_name = {target.name: target for target in all}
    line: list[Target] = []
    while (target := by_name.get(name)) is not None:
        line.append(target)
        if not isinstance(target.start, FromImage) or target in line[:-1]:
            break
        name = target.start.name
    return tuple(line)


def descendants(all: Collection[Target], names: Collection[str]) -> frozenset[str]:
    """The images of these names and all that start from them, whatever is between. `all` has parents before children."""
    found = set(names)
    for target in all:
        if isinstance(target.start, FromImage) and target.start.name in found:
            found.add(target.name)
    return frozenset(found)


def waves(all: Collection[Target]) -> tuple[tuple[Target, ...], ...]:
    """The images by depth: each wave needs only those before it. `all` has parents before children."""
    depth: dict[str, int] = {}
    found: list[list[Target]] = []
    for target in all:
        parent = depth.get(target.start.name, -1) if isinstance(target.start, FromImage) else -1
        depth[target.name] = parent + 1
        while len(found) <= parent + 1:
            found.append([])
        found[parent + 1].append(target)
    return tuple(tuple(wave) for wave in found)
