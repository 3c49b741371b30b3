"""The objects of a tenant: its namespace, what it may use, who may act in it, whom it may talk to, and what governs its agents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.kinds.tenant.access import access
from reconciler.kinds.tenant.governance import config_files, quotas
from reconciler.kinds.tenant.network import network, service_ref
from reconciler.kinds.tenant.spec import Quotas, TenantSpec
from reconciler.model.fleet import Resource
from reconciler.model.graph import Graph
from reconciler.model.manifests import Draft, Stage
from reconciler.model.quantities import format_count, format_cpu, format_memory

STATE_ANNOTATION = "fleetwright.dev/state"
PART_LABEL = "fleetwright.dev/part"
_COUNTED = (
    "configmaps",
    "count/cronjobs.batch",
    "count/deployments.apps",
    "count/jobs.batch",
    "persistentvolumeclaims",
    "pods",
    "services",
)
_DEFAULT_LIMITS = {"memory": "256Mi"}
_DEFAULT_REQUESTS = {"cpu": "50m", "memory": "64Mi"}

Tenant = Resource[TenantSpec]


def render(tenant: Tenant, graph: Graph) -> Iterator[Draft]:
    """Every object of the tenant. What belongs to a suspended tenant stays; its services are scaled down by their own kind."""
    namespace = graph.environment.namespace(tenant.ref.name)
    yield Draft(_namespace(tenant, namespace), tenant.ref, Stage.NAMESPACES)
    for body in _tenancy(tenant, graph, namespace):
        yield Draft(body, tenant.ref, Stage.TENANCY)


def _tenancy(tenant: Tenant, graph: Graph, namespace: str) -> Iterator[dict[str, Any]]:
    hard = _hard(quotas(tenant.spec, graph.fleet), graph)
    if hard:
        yield _object("ResourceQuota", namespace, "tenant", {"spec": {"hard": hard}})
    limit = {"type": "Container", "default": _DEFAULT_LIMITS, "defaultRequest": _DEFAULT_REQUESTS}
    yield _object("LimitRange", namespace, "tenant", {"spec": {"limits": [limit]}})
    yield from access(tenant.spec, namespace)
    yield from network(tenant.spec, namespace, _allowed(tenant, graph))
    for file in config_files(tenant, graph.fleet, graph.resources):
        body = _object("ConfigMap", namespace, file.map, {"immutable": True, "data": {file.file: file.text}})
        body["metadata"]["labels"] = {PART_LABEL: file.part}
        yield body


def _namespace(tenant: Tenant, namespace: str) -> dict[str, Any]:
    security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    versions = {f"{mode}-version": "latest" for mode in security}
    metadata = {"name": namespace, "labels": {**security, **versions}, "annotations": {STATE_ANNOTATION: tenant.spec.state}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _object(kind: str, namespace: str, name: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}


def _hard(quotas: Quotas, graph: Graph) -> dict[str, str]:
    hard: dict[str, str] = {}
    if quotas.cpu is not None:
        hard["requests.cpu"] = format_cpu(quotas.cpu)
    if quotas.memory is not None:
        hard["requests.memory"] = hard["limits.memory"] = format_memory(quotas.memory)
    if quotas.gpu_memory == 0:
        # Kubernetes cannot count the memory of a shared GPU, but it can refuse the share altogether.
        hard.update({f"requests.{gpu.share}": "0" for machine in graph.environment.machines.values() if (gpu := machine.gpu) is not None})
    if quotas.objects is not None:
        hard.update(dict.fromkeys(_COUNTED, format_count(quotas.objects)))
    return dict(sorted(hard.items()))


def _allowed(tenant: Tenant, graph: Graph) -> Iterator[tuple[str, str]]:
    for name in tenant.spec.network.allow:
        service = service_ref(name, tenant.ref.name)
        yield graph.environment.namespace(service.tenant), service.name
