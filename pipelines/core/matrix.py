"""The matrix: which images a commit makes anew, in waves that GitHub Actions can run (a job a wave, at most 256 legs in each)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pipelines.core.targets import targets
from pipelines.model.recipe import FromImage, Target
from reconciler.kinds.image.content import content as of_image
from reconciler.kinds.image.cuda import cuda_of
from reconciler.kinds.image.spec import ImageSpec
from reconciler.kinds.service.naming import content as of_service
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.graph import Graph

WAVES = 6
"""Jobs for waves in the workflow; what stands deeper is built one after another in the last one."""
MAX_LEGS = 256
"""Legs that one matrix may have (GitHub, "Usage limits")."""
RUNNERS: Mapping[str, str] = {"linux/amd64": "ubuntu-24.04", "linux/arm64": "ubuntu-24.04-arm"}
"""The runner that builds for a platform; others are emulated on the first one."""


class Node(NamedTuple):
    """One image of the hierarchy."""

    parent: str | None
    """The image of the fleet that it starts from."""
    platforms: tuple[str, ...]
    machines: tuple[tuple[str, ...], ...] = ((),)
    """Machines that it has to suit, grouped by what differs for it: their driver. One group of none where nothing does."""


class Leg(NamedTuple):
    """One run of one job: images built one after another, for one platform and the machines of one driver."""

    images: tuple[str, ...]
    platform: str
    machines: tuple[str, ...]


Waves = tuple[tuple[Leg, ...], ...]


def nodes(graph: Graph) -> dict[str, Node]:
    """The images of a fleet, services' own builds among them. Machines count only for an image with CUDA inside: the driver of each has to suit it."""
    return {target.name: _node(graph, target) for target in targets(graph)}


def _node(graph: Graph, target: Target) -> Node:
    parent = target.start.name if isinstance(target.start, FromImage) else None
    spec = graph.resources[target.ref].spec
    machines = spec.machines if isinstance(spec, ImageSpec) and cuda_of(graph.fleet, target.name) else ()
    return Node(parent, target.platforms, _by_driver(graph, machines))


def changed(before: Graph, after: Graph) -> frozenset[str]:
    """Images that a build makes anew from one commit to the next: their own content differs, or that of what they start from."""
    old, new = _contents(before), _contents(after)
    own = {name for name, content in new.items() if old.get(name) != content}
    images = nodes(after)
    return frozenset(name for name in new if own.intersection(_chain(name, images)))


def waves(images: Mapping[str, Node], build: Collection[str]) -> Waves:
    """The images to build, each after what it starts from; nothing of what is not built."""
    wanted = set(build) & images.keys()
    depths: dict[int, list[str]] = {}
    for name in sorted(wanted):
        depths.setdefault(len(wanted.intersection(_chain(name, images))) - 1, []).append(name)
    shallow = [_legs(((name,) for name in depths[depth]), images) for depth in sorted(depths) if depth < WAVES - 1]
    deep = [name for depth in sorted(depths) if depth >= WAVES - 1 for name in depths[depth]]
    return (*shallow, *((_legs(_families(deep, images), images),) if deep else ()))


def outputs(found: Waves) -> Iterator[str]:
    """Lines for `$GITHUB_OUTPUT`: `wave0` is the matrix of a job, `any0` says whether it has legs (an empty matrix fails a run)."""
    for number in range(WAVES):
        legs = found[number] if number < len(found) else ()
        yield f"wave{number}={json.dumps(matrix(legs), separators=(',', ':'))}"
        yield f"any{number}={'true' if legs else 'false'}"
    yield f"any={'true' if found else 'false'}"


def matrix(legs: Iterable[Leg]) -> dict[str, Any]:
    """A matrix as GitHub has it."""
    return {"include": [_row(leg) for leg in legs]}


def _row(leg: Leg) -> dict[str, str]:
    more = f" and {len(leg.images) - 1} more" if len(leg.images) > 1 else ""
    where = f" ({', '.join(leg.machines)})" if leg.machines else ""
    return {
        "name": f"{leg.images[0]}{more}{where}",
        "slug": "-".join((leg.images[0], leg.platform.replace("/", "-"), *leg.machines)),
        "images": " ".join(leg.images),
        "platform": leg.platform,
        "machines": " ".join(leg.machines),
        "runner": RUNNERS.get(leg.platform, RUNNERS["linux/amd64"]),
    }


def _legs(groups: Iterable[tuple[str, ...]], images: Mapping[str, Node]) -> tuple[Leg, ...]:
    """A leg for each group, platform and driver; several groups share one where there would be too many."""
    kinds: dict[tuple[str, tuple[str, ...]], list[tuple[str, ...]]] = {}
    for group in groups:
        for platform in dict.fromkeys(platform for name in group for platform in images[name].platforms):
            for machines in dict.fromkeys(machines for name in group for machines in images[name].machines):
                if mine := tuple(name for name in group if platform in images[name].platforms and machines in images[name].machines):
                    kinds.setdefault((platform, machines), []).append(mine)
    share = 1
    while sum(-(-len(one) // share) for one in kinds.values()) > max(MAX_LEGS, len(kinds)):
        share += 1
    return tuple(
        Leg(tuple(name for group in one[start : start + share] for name in group), platform, machines)
        for (platform, machines), one in sorted(kinds.items())
        for start in range(0, len(one), share)
    )


def _families(names: list[str], images: Mapping[str, Node]) -> Iterator[tuple[str, ...]]:
    """Images together with those that start from them, in order: `names` has what is started from first."""
    families: dict[str, list[str]] = {}
    for name in names:
        root = [one for one in _chain(name, images) if one in names][-1]
        families.setdefault(root, []).append(name)
    yield from (tuple(family) for family in families.values())


def _chain(name: str, images: Mapping[str, Node]) -> list[str]:
    """An image and what it starts from, nearest first; a circle ends where it closes."""
    found: list[str] = []
    here: str | None = name
    while here is not None and here in images and here not in found:
        found.append(here)
        here = images[here].parent
    return found


def _by_driver(graph: Graph, machines: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    known = graph.fleet.spec.machines if graph.fleet.spec is not None else {}
    groups: dict[str, list[str]] = {}
    for name in machines:
        machine = known.get(name)
        groups.setdefault(machine.gpu.driver if machine is not None and machine.gpu is not None else "", []).append(name)
    return tuple(tuple(group) for _, group in sorted(groups.items())) or ((),)


def _contents(graph: Graph) -> dict[str, Any]:
    return {target.name: _content(graph, target) for target in targets(graph)}


def _content(graph: Graph, target: Target) -> Any:
    resource = graph.resources[target.ref]
    own = of_image if isinstance(resource.spec, ImageSpec) else of_service
    assert isinstance(resource.spec, ImageSpec | ServiceSpec)
    return own(resource, graph)  # type: ignore[arg-type]
