"""Services: what is kept running, and every object that this takes."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kinds.service.checks import checks, together
from reconciler.kinds.service.codes import CODES
from reconciler.kinds.service.links import links
from reconciler.kinds.service.naming import content, image
from reconciler.kinds.service.requirements import needs
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.fleet import Resource
from reconciler.model.graph import Graph
from reconciler.model.kind import Column, Kind
from reconciler.model.manifests import Draft


def _render(service: Resource[ServiceSpec], graph: Graph) -> Iterable[Draft]:
    """Every object of a service, by modules that lint needs none of."""
    from reconciler.kinds.service.render import render

    return render(service, graph)


KIND = Kind(
    name="Service",
    folder="services",
    scope="tenant",
    spec=ServiceSpec,
    plural="fleetservices",
    short_names=("fsvc",),
    columns=(
        Column("Image", ".status.image", "Image and tag that it runs."),
        Column("Machine", ".status.placement.machine", "Where it goes."),
        Column("Held", '.status.conditions[?(@.type=="Held")].status', "Whether it is pinned to a build."),
        Column("Digest", ".status.digest", "Digest of its image.", wide=True),
    ),
    codes=CODES,
    links=links,
    checks=checks,
    together=together,
    render=_render,
    needs=needs,
    image=image,
    content=content,
)
