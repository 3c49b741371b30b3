"""The effective policy: a chain of packs and a tenant's overrides, merged to one value with a digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from reconciler.kinds.policy_pack.spec import PolicyPackSpec, Settings
from reconciler.model.canonical import digest, dumps
from reconciler.model.fleet import Resource
from reconciler.model.refs import Ref

Pack = Resource[PolicyPackSpec]
_OWN = {"version", "status", "extends", "rules"}


class Effective(NamedTuple):
    """What holds for a tenant."""

    value: Mapping[str, Any]
    """Plain JSON in camelCase; durations as people write them."""
    digest: str
    """Of the canonical JSON of `value`; recorded on every run."""
    size: int = 0
    """Length of that JSON."""
    block: frozenset[str] = frozenset()
    """Codes of the rules whose findings are errors."""
    rules: tuple[str, ...] = ()
    """Folders of rules, from the lowest pack up: a rule of a later folder replaces one of the same code."""


def chain(resources: Mapping[Ref, Resource[Any]], name: str) -> tuple[Pack, ...]:
    """The pack of that name and those it extends, the lowest first. Stops where one is missing or comes round again."""
    packs: list[Pack] = []
    ref: Ref | None = Ref("PolicyPack", name)
    while ref is not None and ref in resources and all(pack.ref != ref for pack in packs):
        pack = resources[ref]
        packs.append(pack)
        ref = Ref("PolicyPack", pack.spec.extends) if pack.spec.extends else None
    return tuple(reversed(packs))


def effective(packs: Iterable[Pack], overrides: Settings | None = None) -> Effective:
    """Packs from the lowest up, then the tenant's overrides: mappings merge by key, everything else is replaced; `block` only grows.

    Fields that nobody set are absent: consumers have their own defaults.
    """
    packs = tuple(packs)
    layers = [_settings(pack.spec) for pack in packs] + ([_settings(overrides)] if overrides is not None else [])
    value: dict[str, Any] = {}
    for layer in layers:
        value = _merge(value, layer)
    value["block"] = sorted({code for layer in layers for code in layer.get("block", ())})
    value["packs"] = [f"{pack.ref.name}@{pack.spec.version}" for pack in packs]
    value["rules"] = [pack.spec.rules for pack in packs if pack.spec.rules is not None]
    constitution = value.get("documents", {}).get("constitution")
    if constitution is not None:
        value["constitutionVersion"] = constitution["version"]
    return Effective(value, digest(value), len(dumps(value)), frozenset(value["block"]), tuple(value["rules"]))


def _settings(settings: Settings) -> dict[str, Any]:
    dumped = settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {key: value for key, value in dumped.items() if key not in _OWN}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        merged[key] = _merge(lower, value) if isinstance(lower, Mapping) and isinstance(value, Mapping) and not _whole(value) else value
    return merged


def _whole(value: Mapping[str, Any]) -> bool:
    """A model, a provider or a document is one statement: half of one and half of another would be neither."""
    return "provider" in value or "alias" in value or "api" in value or "sha256" in value
