"""Players: what stands in for controllers and gives objects a status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.model.manifests import Body

Player = Callable[[Body], Mapping[str, Any] | None]
"""The status that an object gets after it was written; None leaves it as it is."""


def nobody(body: Body) -> Mapping[str, Any] | None:  # noqa: ARG001
    """No controller at all: no status ever changes."""
    return None


def ready(body: Body) -> Mapping[str, Any] | None:
    """A world in which everything becomes healthy at once."""
    generation = body["metadata"].get("generation", 1)
    match body["kind"]:
        case "Deployment":
            return _deployment(generation, body["spec"].get("replicas", 1))
        case "PersistentVolumeClaim":
            return {"phase": "Bound"}
        case "PodDisruptionBudget":
            return {"observedGeneration": generation, "currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1}
        case "ResourceQuota":
            return {"hard": body.get("spec", {}).get("hard", {}), "used": {}}
        case "Ingress" | "Service":
            return {"loadBalancer": {}}
        case "CustomResourceDefinition":
            return {"conditions": [{"type": kind, "status": "True"} for kind in ("NamesAccepted", "Established")]}
        case _:
            return None


def _deployment(generation: int, replicas: int) -> Mapping[str, Any]:
    count = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas) if replicas else {}
    conditions = [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]
    return {"observedGeneration": generation, **count, "conditions": conditions}
