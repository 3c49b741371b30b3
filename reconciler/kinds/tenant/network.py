"""Whom a tenant's pods may talk to: all closed, then DNS, then what the tenant declares. Services open their own side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.kinds.tenant.spec import TenantSpec
from reconciler.model.egress import opened
from reconciler.model.refs import Ref
from reconciler.model.workload import INSTANCE

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""Every namespace has it, set by the API server."""
_DNS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]


def network(tenant: TenantSpec, namespace: str, allowed: Iterable[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """NetworkPolicies of the namespace. `allowed`: (namespace, service) pairs that the tenant's pods may reach."""
    yield _policy(namespace, "default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    yield _policy(namespace, "allow-dns", _egress([{"to": [_space("kube-system")], "ports": _DNS}]))
    if tenant.network.within:
        peer: dict[str, Any] = {"podSelector": {}}
        both = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [peer]}], "egress": [{"to": [peer]}]}
        yield _policy(namespace, "allow-within", both)
    peers = [{**_space(space), "podSelector": _pods(service)} for space, service in sorted(set(allowed))]
    if peers:
        yield _policy(namespace, "allow-services", _egress([{"to": peers}]))
    for name, block in sorted(tenant.network.egress.items()):
        yield _policy(namespace, f"allow-egress-{name}", _egress([opened(block)]))


def _policy(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _egress(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": rules}


def _space(namespace: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}}}


def _pods(service: str) -> dict[str, Any]:
    return {"matchLabels": {INSTANCE: service}}


def service_ref(name: str, tenant: str) -> Ref:
    """The service that a link of a tenant names."""
    owner, _, service = name.rpartition("/")
    return Ref("Service", service, owner or tenant)
