"""How many replicas there are, and how many may be away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.kinds.service.spec import Autoscale, Disruption, ServiceSpec

_CPU_TARGET = 70
"""Percent of the CPU request that an autoscaled service aims at when it names no target."""


def fewest(spec: ServiceSpec) -> int:
    """Replicas that are there at least."""
    if spec.autoscale is not None:
        return spec.autoscale.min
    return 1 if spec.replicas is None else spec.replicas


def most(spec: ServiceSpec) -> int:
    """Replicas that there may be."""
    return spec.autoscale.max if spec.autoscale is not None else fewest(spec)


def autoscaler(name: str, namespace: str, autoscale: Autoscale) -> dict[str, Any]:
    """The HorizontalPodAutoscaler."""
    targets = {"cpu": autoscale.cpu, "memory": autoscale.memory}
    if not any(targets.values()):
        targets["cpu"] = _CPU_TARGET
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": autoscale.min,
        "maxReplicas": autoscale.max,
        "metrics": [_metric(resource, percent) for resource, percent in targets.items() if percent],
    }
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


def _metric(resource: str, percent: int) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": resource, "target": {"type": "Utilization", "averageUtilization": percent}}}


def budget(name: str, namespace: str, disruption: Disruption | None, pods: Mapping[str, str]) -> dict[str, Any]:
    """The PodDisruptionBudget: how many of these pods may be away at once."""
    if disruption is None:
        bound: dict[str, Any] = {"maxUnavailable": 1}
    elif disruption.max_unavailable is not None:
        bound = {"maxUnavailable": disruption.max_unavailable}
    else:
        bound = {"minAvailable": disruption.min_available}
    bound["selector"] = {"matchLabels": dict(pods)}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": namespace}, "spec": bound}
