"""How a service is reached, and whom it may reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.kinds.service.naming import port_named
from reconciler.kinds.service.spec import Expose, ServiceSpec
from reconciler.model.egress import opened
from reconciler.model.fleet import Observability, Resource
from reconciler.model.graph import Graph
from reconciler.model.manifests import ENVIRONMENT_LABEL
from reconciler.model.refs import Ref
from reconciler.model.workload import INSTANCE

_NAMESPACE = "kubernetes.io/metadata.name"
_DNS = {
    "to": [{"namespaceSelector": {"matchLabels": {_NAMESPACE: "kube-system"}}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}
FLOWER = "flower"
REDIS = 6379


def service(name: str, namespace: str, pods: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, Any]:
    """The Service: the same ports inside the cluster as in the pod."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": dict(pods),
            "ports": [{"name": port, "port": ports[port], "targetPort": port, "protocol": "TCP"} for port in sorted(ports)],
        },
    }


def all_ports(spec: ServiceSpec) -> dict[str, int]:
    """Ports that any pod of the service has."""
    if spec.worker is not None and spec.worker.flower is not None:
        return {**spec.ports, FLOWER: spec.worker.flower.port}
    return spec.ports


def port_of(graph: Graph, ref: Ref, name: str | None) -> int:
    """The number of a port of another service; Redis' own where that service does not tell."""
    other = graph.get(ref, ServiceSpec)
    named = port_named(other.spec.ports, name) if other is not None else None
    return other.spec.ports[named] if other is not None and named is not None else REDIS


def exposed_port(spec: ServiceSpec) -> str | None:
    """The port that the world outside comes in by; None where the service is not exposed, or names no port that it has."""
    return port_named(all_ports(spec), spec.expose.port) if spec.expose is not None else None


def ingress(name: str, namespace: str, expose: Expose, ports: dict[str, int]) -> dict[str, Any]:
    """The Ingress of an exposed service."""
    port = port_named(ports, expose.port)
    backend = {"service": {"name": f"{name}-{FLOWER}" if port == FLOWER else name, "port": {"name": port}}}
    spec: dict[str, Any] = {
        "rules": [{"host": expose.host, "http": {"paths": [{"path": expose.path, "pathType": "Prefix", "backend": backend}]}}]
    }
    if expose.ingress_class is not None:
        spec["ingressClassName"] = expose.ingress_class
    if expose.tls:
        spec["tls"] = [{"hosts": [expose.host], "secretName": expose.tls_secret or f"{name}-tls"}]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def report_url(graph: Graph, spec: ServiceSpec) -> str | None:
    """Where pods of the service's machine post their start-up report."""
    target = _observability(graph, spec.machine)
    if target is None:
        return None
    tenant, _, name = target.service.rpartition("/")
    return f"http://{name}.{graph.environment.namespace(tenant)}.svc:{target.port}{target.path}"


def _observability(graph: Graph, machine: str) -> Observability | None:
    return graph.fleet.spec.observability.get(machine) if graph.fleet.spec is not None else None


def policy(resource: Resource[ServiceSpec], graph: Graph) -> dict[str, Any]:
    """The NetworkPolicy: DNS, both sides of `dependsOn`, start-up reports, tenants let in, and declared egress; nothing else."""
    namespace = graph.environment.namespace(resource.ref.tenant)
    spec: dict[str, Any] = {"podSelector": {"matchLabels": {INSTANCE: resource.ref.name}}, "policyTypes": ["Ingress", "Egress"]}
    spec["egress"] = [_DNS, *_egress(resource, graph)]
    inbound = _inbound(resource, graph)
    if inbound:
        spec["ingress"] = inbound
    metadata = {"name": resource.ref.name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _egress(resource: Resource[ServiceSpec], graph: Graph) -> list[dict[str, Any]]:
    rules = []
    for target in sorted(set(graph.linked(resource.ref, "Service"))):
        other = graph.get(target, ServiceSpec)
        ports = all_ports(other.spec) if other is not None else {}
        if ports:
            rules.append({"to": [_peer(target, resource.ref, graph)], "ports": _tcp(ports.values())})
    observability = _observability(graph, resource.spec.machine)
    if observability is not None:
        tenant, _, name = observability.service.rpartition("/")
        rules.append({"to": [_peer(Ref("Service", name, tenant), resource.ref, graph)], "ports": _tcp([observability.port])})
    return rules + [opened(egress) for _, egress in sorted(resource.spec.egress.items())]


def _inbound(resource: Resource[ServiceSpec], graph: Graph) -> list[dict[str, Any]]:
    ports = all_ports(resource.spec)
    if not ports:
        return []
    peers = [_peer(caller, resource.ref, graph) for caller in sorted(set(graph.linking(resource.ref, "Service")))]
    for tenant in sorted(set(graph.linking(resource.ref, "Tenant"))):
        if tenant.name != resource.ref.tenant:
            peers.append({"namespaceSelector": {"matchLabels": {_NAMESPACE: graph.environment.namespace(tenant.name)}}})
    rules: list[dict[str, Any]] = [{"from": peers, "ports": _tcp(ports.values())}] if peers else []
    exposed = exposed_port(resource.spec)
    if exposed is not None:
        # The ingress controller's pods are nobody's to name: the exposed port is open to all.
        rules.append({"ports": _tcp([ports[exposed]])})
    reports = _report_ports(resource, graph)
    if reports:
        fleet = {"namespaceSelector": {"matchLabels": {ENVIRONMENT_LABEL: graph.environment.id}}}
        rules.append({"from": [fleet], "ports": _tcp(reports)})
    return rules


def _report_ports(resource: Resource[ServiceSpec], graph: Graph) -> set[int]:
    observability = graph.fleet.spec.observability.values() if graph.fleet.spec is not None else ()
    return {target.port for target in observability if target.service == resource.ref.short}


def _peer(pods: Ref, seen_from: Ref, graph: Graph) -> dict[str, Any]:
    peer: dict[str, Any] = {"podSelector": {"matchLabels": {INSTANCE: pods.name}}}
    if pods.tenant != seen_from.tenant:
        peer["namespaceSelector"] = {"matchLabels": {_NAMESPACE: graph.environment.namespace(pods.tenant)}}
    return peer


def _tcp(ports: Iterable[int]) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in sorted(set(ports))]
