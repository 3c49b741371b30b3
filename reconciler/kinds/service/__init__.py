"""Services: what is kept running, and every object that this takes."""

from __future__ import annotations

from reconciler.kinds.service.links import links
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.kind import Kind

KIND = Kind(
    name="Service",
    folder="services",
    scope="tenant",
    spec=ServiceSpec,
    plural="fleetservices",
    short_names=("fsvc",),
    links=links,
)
