"""Health: whether an object has become what its spec asks for. Reads the status as Kubernetes' `kstatus` convention does."""

from __future__ import annotations

from typing import Any

from reconciler.model.manifests import Body
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Healthy:
    """It is what its spec asks for."""


@dataclass(frozen=True, slots=True)
class Progressing:
    """On its way, and to what."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It will not get there by itself."""

    reason: str


Health = Healthy | Progressing | Failed


def health(body: Body) -> Health:
    """Health of a live object. Kinds without a status worth waiting for are healthy once they exist."""
    if body["metadata"].get("deletionTimestamp"):
        return Progressing("is being deleted")
    match body["kind"]:
        case "Deployment":
            return _deployment(body)
        case "Job":
            return _job(body)
        case "PersistentVolumeClaim":
            return _claim(body)
        case "Namespace":
            return Healthy() if body.get("status", {}).get("phase") == "Active" else Progressing("is not active yet")
        case _:
            return Healthy()


def waits(body: Body) -> bool:
    """Whether health of this kind is worth waiting for. A claim may wait for its first consumer, so it is not."""
    return body["kind"] in ("Deployment", "Job")


def _conditions(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {condition["type"]: condition for condition in status.get("conditions", ())}


def _deployment(body: Body) -> Health:
    spec, status = body["spec"], body.get("status", {})
    conditions = _conditions(status)
    progressing = conditions.get("Progressing", {})
    if status.get("observedGeneration", 0) < body["metadata"].get("generation", 1):
        return Progressing("its controller has not seen the change yet")
    if progressing.get("reason") == "ProgressDeadlineExceeded" or progressing.get("status") == "False":
        return Failed(progressing.get("message") or "its progress deadline is exceeded")
    failure = conditions.get("ReplicaFailure", {})
    if failure.get("status") == "True":
        return Failed(failure.get("message") or "pods cannot be created")
    wanted = spec.get("replicas", 1)
    updated, ready, total = status.get("updatedReplicas", 0), status.get("availableReplicas", 0), status.get("replicas", 0)
    if updated < wanted:
        return Progressing(f"{updated} of {wanted} replicas updated")
    if total > updated:
        return Progressing(f"{total - updated} old replicas still run")
    if ready < wanted:
        return Progressing(f"{ready} of {wanted} replicas ready")
    return Healthy()


def _job(body: Body) -> Health:
    conditions = _conditions(body.get("status", {}))
    if conditions.get("Failed", {}).get("status") == "True":
        return Failed(conditions["Failed"].get("message") or "the job failed")
    if conditions.get("Complete", {}).get("status") == "True":
        return Healthy()
    return Progressing("is running")


def _claim(body: Body) -> Health:
    match body.get("status", {}).get("phase"):
        case "Bound":
            return Healthy()
        case "Lost":
            return Failed("its volume is lost")
        case _:
            return Progressing("waits for a volume")
