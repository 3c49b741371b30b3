"""Policy packs: rules, and the settings that tenants start from. Each tenant renders its effective policy."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.policy_pack.checks import CODES, checks
from reconciler.kinds.policy_pack.spec import Models, PolicyPackSpec
from reconciler.model.findings import Pointer
from reconciler.model.fleet import Resource
from reconciler.model.kind import Column, Kind
from reconciler.model.refs import Link


def links(resource: Resource[PolicyPackSpec]) -> Iterator[Link]:
    """The pack below, and the services that serve models. Those are unordered: they belong to tenants, which in turn use packs."""
    if resource.spec.extends is not None:
        yield Link("PolicyPack", resource.spec.extends, ("spec", "extends"))
    yield from provider_links(resource.spec.models, ("spec", "models"))


def provider_links(models: Models, pointer: Pointer) -> Iterator[Link]:
    """The services that are providers in a registry at `pointer`."""
    for name, provider in models.providers.items():
        if provider.service is not None:
            yield Link("Service", provider.service, (*pointer, "providers", name, "service"), ordered=False)


KIND = Kind(
    name="PolicyPack",
    folder="policy-packs",
    scope="fleet",
    spec=PolicyPackSpec,
    plural="fleetpolicypacks",
    short_names=("fpack",),
    columns=(
        Column("Version", ".spec.version", "Version of the pack."),
        Column("Extends", ".spec.extends", "The pack below."),
    ),
    codes=CODES,
    links=links,
    checks=checks,
)
