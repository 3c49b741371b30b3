"""Services: what is kept running, and every object that this takes."""

from __future__ import annotations

from reconciler.kinds.service.checks import checks, together
from reconciler.kinds.service.codes import CODES
from reconciler.kinds.service.links import links
from reconciler.kinds.service.naming import content, image
from reconciler.kinds.service.render import render
from reconciler.kinds.service.requirements import needs
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.kind import Kind

KIND = Kind(
    name="Service",
    folder="services",
    scope="tenant",
    spec=ServiceSpec,
    plural="fleetservices",
    short_names=("fsvc",),
    codes=CODES,
    links=links,
    checks=checks,
    together=together,
    render=render,
    needs=needs,
    image=image,
    content=content,
)
