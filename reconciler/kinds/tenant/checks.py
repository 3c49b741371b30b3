"""What a tenant must be beyond its types: a tier, features, tools and a policy that exist, and a namespace that can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from pydantic import ValidationError

from reconciler.kinds.policy_pack.checks import settings_findings
from reconciler.kinds.policy_pack.models import order
from reconciler.kinds.policy_pack.spec import Models, PolicyPackSpec
from reconciler.kinds.tenant.governance import allowed, policy
from reconciler.kinds.tenant.spec import Quotas, TenantSpec
from reconciler.kinds.tool_catalog.resolve import matches
from reconciler.kinds.tool_catalog.spec import Selection, ToolCatalogSpec
from reconciler.model.findings import Code, Finding, Pointer, error, warning
from reconciler.model.fleet import Resource, Tier
from reconciler.model.kind import Scene
from reconciler.model.refs import FLEET, Ref

TIER = error("TNT001", "unknown tier", "`tier` must be one of `tiers` in fleet.yaml.")
FEATURE = error("TNT002", "feature beyond the tier", "Each feature in use must be among those of the tenant's tier.")
PROFILE = error("TNT003", "unknown tool profile", "`tools.profile` must be a profile of the tenant's catalog.")
TOOL = error("TNT004", "unknown tool", "Each entry of `allow`, `deny` and `grants` must name tools of the tenant's catalog.")
UNGRANTED = warning(
    "TNT005",
    "elevated tool without a grant",
    "A tool whose risk is high or admin needs an entry under `grants`; `allow` alone does nothing.",
)
NEEDLESS = warning(
    "TNT006", "grant for a tool that needs none", "Only tools whose risk is high or admin need a grant; `allow` does for others."
)
NO_PACK = error(
    "TNT008", "no policy pack", "A tenant needs a policy: `policy.pack`, or `policy` in fleet.yaml, must name a pack that exists."
)
INACTIVE = warning("TNT009", "policy pack is not active", "A draft is not for tenants yet, a retired pack no longer.")
OUTSIDE = warning(
    "TNT010",
    "fallback outside the tier",
    "A fallback that tenants of this tier may not use is left out of their chain: the model stands alone when it fails.",
)
QUOTA = error("TNT011", "tier with a quota that is none", "Quotas of a tier are those of a tenant: cpu, memory, gpuMemory, objects.")
RESERVED = error("TNT012", "reserved name", "These namespaces belong to the cluster or to Fleetwright; no tenant may be called so.")
LENGTH = error(
    "TNT013", "namespace name too long", "A namespace's name is the environment's prefix and the tenant's name, at most 63 characters."
)
MEMBER = warning("TNT015", "the same member twice", "Two members that differ in upper and lower case only are most often one person.")
DEFAULT = warning(
    "TNT016",
    "default model outside the tier",
    "The alias for services that ask for no model is one that tenants of this tier may not use: those services have none.",
)
CODES: tuple[Code, ...] = (
    TIER, FEATURE, PROFILE, TOOL, UNGRANTED, NEEDLESS, NO_PACK, INACTIVE, OUTSIDE, QUOTA, RESERVED, LENGTH, MEMBER, DEFAULT,
)  # fmt: skip

NAMESPACE_LENGTH = 63
"""Longest name of a namespace (RFC 1123 label)."""
_RESERVED = ("default", "kube-node-lease", "kube-public", "kube-system", "fleetwright-system")
Tenant = Resource[TenantSpec]


def checks(tenant: Tenant, scene: Scene) -> Iterator[Finding]:
    """Findings on one tenant."""
    yield from _namespace(tenant, scene)
    yield from _tier(tenant, scene)
    yield from _members(tenant)
    yield from _tools(tenant, scene)
    yield from _policy(tenant, scene)


def _at(tenant: Tenant, code: Code, pointer: Pointer, message: str, fix: str = "") -> Finding:
    return code.at(tenant.document.place(("spec", *pointer)), message, fix, tenant.ref)


def _key(tenant: Tenant, code: Code, pointer: Pointer, message: str, fix: str = "") -> Finding:
    return code.at(tenant.document.key_place(("spec", *pointer)), message, fix, tenant.ref)


def _near(name: str, names: Iterable[str]) -> str:
    names = sorted(names)
    near = get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(names) or 'none is declared'}"


def _namespace(tenant: Tenant, scene: Scene) -> Iterator[Finding]:
    name = tenant.ref.name
    place = tenant.document.place(("metadata", "name"))
    if scene.fleet.spec is None:
        return
    for environment, spec in sorted(scene.fleet.spec.environments.items()):
        namespace = spec.namespace_prefix + name
        if namespace in _RESERVED or namespace.startswith("kube-"):
            message = f"its namespace in {environment} would be {namespace}, which is reserved"
            yield RESERVED.at(place, message, "give the tenant another name", tenant.ref)
        if len(namespace) > NAMESPACE_LENGTH:
            message = f"its namespace in {environment} would have {len(namespace)} characters: {namespace}"
            yield LENGTH.at(place, message, f"shorten it by {len(namespace) - NAMESPACE_LENGTH}", tenant.ref)


def _tier(tenant: Tenant, scene: Scene) -> Iterator[Finding]:
    if scene.fleet.spec is None:
        return
    tier = scene.fleet.spec.tiers.get(tenant.spec.tier)
    if tier is None:
        yield _at(tenant, TIER, ("tier",), f"{tenant.spec.tier!r} is no tier", _near(tenant.spec.tier, scene.fleet.spec.tiers))
        return
    yield from _tier_quotas(tenant.spec.tier, tier, scene)
    for position, feature in enumerate(tenant.spec.features):
        if feature not in tier.features:
            message = f"tier {tenant.spec.tier} does not include {feature!r}"
            yield _at(tenant, FEATURE, ("features", position), message, _near(feature, tier.features))


def _tier_quotas(name: str, tier: Tier, scene: Scene) -> Iterator[Finding]:
    document = scene.fleet.document
    try:
        Quotas.model_validate(tier.quotas)
    except ValidationError as problem:
        if document is not None:
            for fault in problem.errors():
                key = str(fault["loc"][0])
                place = document.place(("spec", "tiers", name, "quotas", key))
                message = f"{key}: {fault['msg'].removeprefix('Value error, ')}"
                yield QUOTA.at(place, message, "write it as a tenant's quotas are written: cpu, memory, gpuMemory, objects", FLEET)


def _members(tenant: Tenant) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for member in tenant.spec.members:
        first = seen.setdefault(member.lower(), member)
        if first != member:
            yield _key(tenant, MEMBER, ("members", member), f"{member} and {first} differ in case only", "keep one of them")


def _tools(tenant: Tenant, scene: Scene) -> Iterator[Finding]:
    selection = tenant.spec.tools
    catalog = scene.fleet.resources.get(Ref("ToolCatalog", selection.catalog)) if selection is not None else None
    if selection is None or catalog is None or not isinstance(catalog.spec, ToolCatalogSpec):
        return
    spec = catalog.spec
    if selection.profile is not None and selection.profile not in spec.profiles:
        message = f"catalog {selection.catalog} has no profile {selection.profile!r}"
        yield _at(tenant, PROFILE, ("tools", "profile"), message, _near(selection.profile, spec.profiles))
    for key, patterns in (("allow", selection.allow), ("deny", selection.deny)):
        for position, pattern in enumerate(patterns):
            if not any(matches(pattern, name) for name in spec.tools):
                message = f"{pattern!r} names no tool of catalog {selection.catalog}"
                yield _at(tenant, TOOL, ("tools", key, position), message, _near(pattern, spec.tools))
    yield from _grants(tenant, selection, spec)


def _grants(tenant: Tenant, selection: Selection, catalog: ToolCatalogSpec) -> Iterator[Finding]:
    for name in selection.grants:
        tool = catalog.tools.get(name)
        if tool is None:
            message = f"{name!r} is no tool of catalog {selection.catalog}"
            yield _key(tenant, TOOL, ("tools", "grants", name), message, _near(name, catalog.tools))
        elif not tool.is_elevated:
            yield _key(
                tenant, NEEDLESS, ("tools", "grants", name), f"the risk of {name} is {tool.risk}", f"write `allow: [{name}]` instead"
            )
    for position, pattern in enumerate(selection.allow):
        tool = catalog.tools.get(pattern)
        if tool is not None and tool.is_elevated and pattern not in selection.grants:
            fix = f"add `{pattern}: {{by: WHO, until: DATE}}` under `grants`"
            yield _at(tenant, UNGRANTED, ("tools", "allow", position), f"the risk of {pattern} is {tool.risk}, and it has no grant", fix)


def _policy(tenant: Tenant, scene: Scene) -> Iterator[Finding]:
    fleet = scene.fleet
    name = tenant.spec.policy.pack or (fleet.spec.policy if fleet.spec is not None else None)
    ref = Ref("PolicyPack", name or "")
    if fleet.spec is not None and tenant.spec.policy.pack is None and ref not in fleet.resources and ref not in fleet.broken:
        message = "it names no policy pack, and fleet.yaml names none that exists"
        yield _at(tenant, NO_PACK, ("policy",), message, "add `policy: {pack: NAME}` here, or `policy: NAME` to fleet.yaml")
    holding = policy(tenant.spec, fleet, fleet.resources)
    if holding is None:
        return
    models = Models.model_validate(holding.value.get("models", {}))
    yield from settings_findings(tenant, ("spec", "policy", "overrides"), tenant.spec.policy.overrides, models, scene)
    pack = fleet.resources[ref].spec
    if isinstance(pack, PolicyPackSpec) and pack.status != "active":
        yield _at(tenant, INACTIVE, ("policy", "pack"), f"policy pack {name} is {pack.status}", "use an active pack")
    yield from _models(tenant, models)


def _models(tenant: Tenant, models: Models) -> Iterator[Finding]:
    tier = tenant.spec.tier
    if models.default in models.aliases and not allowed(models, models.default, tier):
        message = f"the default model {models.default} is not for tier {tier}"
        fix = f"write `overrides: {{models: {{default: ALIAS}}}}` with one that is, or add {tier} to `tiers` of {models.default}"
        yield _at(tenant, DEFAULT, ("policy",), message, fix)
    for alias in sorted(models.aliases):
        if allowed(models, alias, tier):
            for fallback in order(models, alias):
                if not allowed(models, fallback, tier):
                    message = f"model {alias} falls back to {fallback}, which tier {tier} may not use"
                    yield _at(tenant, OUTSIDE, ("policy",), message, f"add {tier} to `tiers` of {fallback}, or choose another fallback")
