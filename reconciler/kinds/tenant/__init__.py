"""Tenants: a namespace each, and all that governs what happens in it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.policy_pack import provider_links
from reconciler.kinds.tenant.access import ROLES
from reconciler.kinds.tenant.checks import CODES, checks
from reconciler.kinds.tenant.render import render
from reconciler.kinds.tenant.spec import TenantSpec
from reconciler.model.fleet import Resource
from reconciler.model.kind import Column, Kind
from reconciler.model.refs import Link


def links(resource: Resource[TenantSpec]) -> Iterator[Link]:
    """Its catalog, its pack, and services it may reach. Those are unordered: a namespace comes before any service."""
    spec = resource.spec
    if spec.tools is not None:
        yield Link("ToolCatalog", spec.tools.catalog, ("spec", "tools", "catalog"))
    if spec.policy.pack is not None:
        yield Link("PolicyPack", spec.policy.pack, ("spec", "policy", "pack"))
    for position, name in enumerate(spec.network.allow):
        yield Link("Service", name, ("spec", "network", "allow", position), ordered=False)
    yield from provider_links(spec.policy.overrides.models, ("spec", "policy", "overrides", "models"))


KIND = Kind(
    name="Tenant",
    folder="tenants",
    scope="fleet",
    spec=TenantSpec,
    plural="fleettenants",
    short_names=("ftnt",),
    columns=(
        Column("Tier", ".spec.tier", "Its tier."),
        Column("State", ".spec.state", "Whether it is suspended; nothing means active."),
    ),
    codes=CODES,
    links=links,
    checks=checks,
    render=render,
    roles=tuple(ROLES.items()),
)
