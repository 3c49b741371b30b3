"""What governs a tenant, worked out: its quotas with its tier's, its effective policy, its tools, and the files that carry them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from reconciler.kinds.policy_pack.effective import Effective, chain, effective
from reconciler.kinds.policy_pack.models import order, target
from reconciler.kinds.policy_pack.spec import Models
from reconciler.kinds.tenant.spec import Quotas, TenantSpec
from reconciler.kinds.tool_catalog.resolve import published
from reconciler.kinds.tool_catalog.spec import ToolCatalogSpec
from reconciler.model.canonical import dumps, short
from reconciler.model.fleet import Fleet, Resource
from reconciler.model.refs import Ref

Tenant = Resource[TenantSpec]


class ConfigFile(NamedTuple):
    """A file that a tenant's services can mount: its ConfigMap is named by its content and never changes."""

    part: str
    """`tools`, `policy` or `models`."""
    map: str
    """Name of the ConfigMap."""
    file: str
    """Key in it."""
    text: str


def quotas(tenant: TenantSpec, fleet: Fleet) -> Quotas:
    """The tenant's quotas, where it names none those of its tier."""
    tier = fleet.spec.tiers.get(tenant.tier) if fleet.spec is not None else None
    own = {key: value for key, value in tenant.quotas if value is not None}
    try:
        defaults = Quotas.model_validate(tier.quotas) if tier is not None else Quotas()
    except ValidationError:
        defaults = Quotas()  # the check of the tier says so; until then only the tenant's own count
    return defaults.model_copy(update=own)


def policy(tenant: TenantSpec, fleet: Fleet, resources: Mapping[Ref, Resource[Any]]) -> Effective | None:
    """The tenant's effective policy; None where neither it nor the fleet names a pack that stands."""
    name = tenant.policy.pack or (fleet.spec.policy if fleet.spec is not None else None)
    packs = chain(resources, name) if name is not None else ()
    return effective(packs, tenant.policy.overrides) if packs else None


def registry(tier: str, models: Models) -> dict[str, Any]:
    """The model registry as services of a tenant of `tier` read it: per alias, what to try in which order."""
    aliases = {}
    for name in sorted(models.aliases):
        tries = [candidate for candidate in order(models, name) if allowed(models, candidate, tier)]
        if allowed(models, name, tier) and tries:
            aliases[name] = [_candidate(models, candidate) for candidate in tries]
    settings = models.model_dump(
        mode="json", by_alias=True, exclude_none=True, include={"default", "cooldown", "backoff", "session_override"}
    )
    providers = {name: provider.model_dump(mode="json", by_alias=True, exclude_none=True) for name, provider in models.providers.items()}
    if settings.get("default") not in aliases:
        settings.pop("default", None)
    return {**settings, "providers": providers, "aliases": aliases}


def allowed(models: Models, alias: str, tier: str) -> bool:
    """Whether tenants of `tier` may use what `alias` stands for."""
    found = target(models, alias)
    return found is not None and (not found[1].tiers or tier in found[1].tiers)


def _candidate(models: Models, alias: str) -> dict[str, Any]:
    found = target(models, alias)
    assert found is not None
    model = found[1]
    provider = models.providers.get(model.provider or "")
    auth = list(model.auth) or sorted(provider.auth if provider is not None else ())
    return {"alias": found[0], "provider": model.provider, "model": model.model, "auth": auth}


def config_files(tenant: Tenant, fleet: Fleet, resources: Mapping[Ref, Resource[Any]]) -> Iterator[ConfigFile]:
    """The tenant's catalog, policy and model registry, as far as it has them."""
    selection = tenant.spec.tools
    catalog = resources.get(Ref("ToolCatalog", selection.catalog)) if selection is not None else None
    if selection is not None and catalog is not None:
        spec: ToolCatalogSpec = catalog.spec
        yield _file("tools", published(spec, selection))
    holding = policy(tenant.spec, fleet, resources)
    if holding is not None:
        value = {key: part for key, part in holding.value.items() if key != "models"}
        yield _file("policy", {**value, "hash": holding.digest})
        if "models" in holding.value:
            yield _file("models", registry(tenant.spec.tier, Models.model_validate(holding.value["models"])))


def _file(part: str, value: Mapping[str, Any]) -> ConfigFile:
    return ConfigFile(part, f"{part}-{short(value)}", f"{part}.json", dumps(value).decode())
