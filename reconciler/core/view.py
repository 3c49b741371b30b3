"""What rules see of a graph: plain JSON, shaped as the documents are, and types that say which fields there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from reconciler.core.cel.fields import Many, Record
from reconciler.core.values import substitute
from reconciler.kinds.policy_pack.effective import Effective, chain, effective
from reconciler.kinds.policy_pack.spec import Settings
from reconciler.kinds.tenant.governance import policy, quotas
from reconciler.kinds.tenant.spec import TenantSpec
from reconciler.model.fleet import Resource
from reconciler.model.graph import Graph, Placed, Unplaced
from reconciler.model.kind import Kind
from reconciler.model.refs import Ref

_USAGE = ("cpu", "memory", "gpuMemory", "services")
_QUOTAS = {"cpu": "cpu", "memory": "memory", "gpuMemory": "gpu_memory", "objects": "objects"}


class Seen(NamedTuple):
    """A variable's value and its size in characters of JSON."""

    value: Any
    size: int


def describe(kind: Kind, kinds: Iterable[Kind]) -> dict[str, Any]:
    """The variables of a rule about `kind`: which fields each has."""
    settings = {found.alias or name: found.annotation for name, found in Settings.model_fields.items()}
    return {
        "object": _record(kind),
        "linked": Record({other.name: Many(_record(other)) for other in kinds}),
        "placement": Record({"placed": bool, "machine": str, "reason": str}),
        "tenant": Record(
            {
                "name": str,
                "spec": TenantSpec,
                "quotas": Record(dict.fromkeys(_QUOTAS, int)),
                "usage": Record(dict.fromkeys(_USAGE, int)),
            }
        ),
        "policy": Record({**settings, "packs": list[str], "rules": list[str], "constitutionVersion": str}),
        "today": str,
    }


def blank(kinds: Iterable[Kind]) -> dict[str, Any]:
    """The variables where nothing is known: no neighbours, placed somewhere, a tenant without quotas, an empty policy."""
    return {
        "object": {"name": "example", "tenant": "example", "labels": {}, "spec": {}},
        "linked": {kind.name: [] for kind in kinds},
        "placement": {"placed": True, "machine": "", "reason": ""},
        "tenant": {"name": "", "spec": {}, "quotas": {}, "usage": dict.fromkeys(_USAGE, 0)},
        "policy": {},
    }


@dataclass(slots=True)
class View:
    """A graph as rules see it; everything is worked out once, when it is first asked for."""

    graph: Graph
    kinds: tuple[Kind, ...]
    _objects: dict[Ref, Seen] = field(default_factory=dict)
    _tenants: dict[str, Seen] = field(default_factory=dict)
    _policies: dict[str, Effective | None] = field(default_factory=dict)
    _usage: dict[str, dict[str, int]] | None = None
    _blank: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._blank = blank(self.kinds)

    def object(self, ref: Ref) -> Seen:
        """A resource: name, tenant, labels, and its spec as written, with this environment's values."""
        seen = self._objects.get(ref)
        if seen is None:
            resource = self.graph.resources[ref]
            spec = resource.document.value["spec"]
            text = orjson.dumps(spec)
            if b"{env." in text or b"null" in text:
                spec = substitute(spec, self.graph.environment.values)
                spec = _said(spec) if b"null" in text else spec
                text = orjson.dumps(spec)
            value = {"name": ref.name, "tenant": ref.tenant, "labels": resource.labels, "spec": spec}
            # Braces, keys and quotes of the envelope come to 50 characters.
            size = (
                len(text) + len(ref.name) + len(ref.tenant) + sum(len(key) + len(label) + 6 for key, label in resource.labels.items()) + 50
            )
            seen = self._objects[ref] = Seen(value, size)
        return seen

    def linked(self, ref: Ref) -> Seen:
        """What a resource links to, by kind."""
        targets = [target for target in self.graph.links.get(ref, ()) if target in self.graph.resources]
        value: dict[str, list[Any]] = dict(self._blank["linked"])
        size = 20 * len(value) + 2
        for target in targets:
            seen = self.object(target)
            value[target.kind] = [*value[target.kind], seen.value]
            size += seen.size + 1
        return Seen(value, size)

    def placement(self, ref: Ref) -> Seen:
        """Where a resource goes, or why nowhere. What is not placed at all counts as placed."""
        placement = self.graph.placements.get(ref)
        value: dict[str, Any] = self._blank["placement"]
        match placement:
            case Placed(machine):
                value = {"placed": True, "machine": machine, "reason": ""}
            case Unplaced(reason):
                value = {"placed": False, "machine": "", "reason": reason}
        return Seen(value, 60 + len(value["machine"]) + len(value["reason"]))

    def tenant(self, name: str) -> Seen:
        """A tenant: its spec, its quotas with those of its tier, and what its services ask for, in millicores and bytes."""
        seen = self._tenants.get(name)
        if seen is None:
            seen = self._tenants[name] = self._tenant(self.graph.resources.get(Ref("Tenant", name)), name)
        return seen

    def policy(self, name: str) -> Effective | None:
        """The policy that holds for a tenant; for the whole fleet where the name is empty."""
        if name not in self._policies:
            self._policies[name] = self._effective(name)
        return self._policies[name]

    def _effective(self, name: str) -> Effective | None:
        fleet, resources = self.graph.fleet, self.graph.resources
        tenant: Resource[Any] | None = resources.get(Ref("Tenant", name)) if name else None
        if tenant is not None and isinstance(tenant.spec, TenantSpec):
            return policy(tenant.spec, fleet, resources)
        default = fleet.spec.policy if fleet.spec is not None else None
        packs = chain(resources, default) if default is not None else ()
        return effective(packs) if packs else None

    def _tenant(self, resource: Resource[Any] | None, name: str) -> Seen:
        value = {**self._blank["tenant"], "name": name, "usage": self._used().get(name, self._blank["tenant"]["usage"])}
        if resource is not None and isinstance(resource.spec, TenantSpec):
            own = quotas(resource.spec, self.graph.fleet)
            amounts = {key: getattr(own, attribute) for key, attribute in _QUOTAS.items()}
            value["quotas"] = {key: amount for key, amount in amounts.items() if amount is not None}
            value["spec"] = self.object(resource.ref).value["spec"]
        return Seen(value, len(orjson.dumps(value)))

    def _used(self) -> dict[str, dict[str, int]]:
        """What the services of each tenant ask for together."""
        if self._usage is None:
            self._usage = {}
            needs = {kind.name: kind.needs for kind in self.kinds}
            for ref, resource in self.graph.resources.items():
                need = needs[ref.kind](resource, self.graph.fleet) if ref.tenant else None
                if need is not None:
                    used = self._usage.setdefault(ref.tenant, dict.fromkeys(_USAGE, 0))
                    for key, amount in (("cpu", need.cpu), ("memory", need.memory), ("gpuMemory", need.gpu_memory), ("services", 1)):
                        used[key] += amount if key == "services" else amount * need.replicas
        return self._usage


def _said(value: Any) -> Any:
    """Without fields that are null: for a spec they are the same as absent, so `has` must say so."""
    match value:
        case dict():
            return {key: _said(inner) for key, inner in value.items() if inner is not None}
        case list():
            return [_said(inner) for inner in value]
        case _:
            return value


def _record(kind: Kind) -> Record:
    return Record({"name": str, "tenant": str, "labels": dict[str, str], "spec": kind.spec})
