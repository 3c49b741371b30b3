"""What controllers would write into the status of a workload, as pure functions: while it moves, when it is there, when it fails.

After pkg/controller/{deployment,statefulset,daemon,job} of Kubernetes. A value of None takes a field away (JSON merge patch).
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

PREFIX = "stages.fleetwright.dev"
STAGE, DELAY = f"{PREFIX}/stage", f"{PREFIX}/delay"
SLOW_SECONDS = 5.0
DEADLINE_SECONDS = 600.0  # Kubernetes' default of progressDeadlineSeconds
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Body = Mapping[str, Any]
Status = dict[str, Any]


class Stage(StrEnum):
    """What becomes of a workload; an annotation on it says so."""

    READY = "ready"
    SLOW = "slow"
    FAILED = "failed"
    CRASH_LOOPING = "crash-looping"


class Moment(StrEnum):
    """Where in its stage a workload is."""

    MOVING = "moving"
    THERE = "there"
    CRASHING = "crashing"
    FAILED = "failed"


class Counts(NamedTuple):
    """Pods of a workload: all, those of the newest template, the ready ones."""

    total: int
    updated: int
    ready: int


def seconds(text: str) -> float:
    """A duration such as 500ms, 5s or 2m; raises ValueError."""
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * UNITS[unit or "s"] if unit in {*UNITS, ""} else float("nan")


def stage_of(body: Body, default: float) -> tuple[Stage, float]:
    """The stage of a workload and its delay in seconds, from its annotations; what cannot be read counts as ready."""
    annotations = body["metadata"].get("annotations") or {}
    stage = Stage(annotations[STAGE]) if annotations.get(STAGE) in set(Stage) else Stage.READY
    try:
        delay = seconds(annotations[DELAY])
    except (KeyError, ValueError):
        delay = math.nan
    fallback = SLOW_SECONDS if stage is Stage.SLOW else default
    return stage, fallback if math.isnan(delay) else delay


def template_hash(body: Body) -> str:
    """Names the pod template: a rollout is what changes it."""
    return hashlib.sha256(json.dumps(body["spec"].get("template"), sort_keys=True).encode()).hexdigest()[:10]


def wanted(body: Body) -> int:
    value = body["spec"].get("replicas")
    return 1 if value is None else int(value)


def counts(body: Body, moment: Moment, *, rolls: bool, keeps: bool) -> Counts:
    """Pods at a moment. `rolls`: the template is new; `keeps`: old pods serve until new ones do."""
    replicas, before = wanted(body), (body.get("status") or {}).get("readyReplicas") or 0
    if moment is Moment.THERE or replicas == 0:
        return Counts(replicas, replicas, replicas)
    if not rolls:
        ready = min(before, replicas) if moment is Moment.MOVING else 0
        return Counts(replicas, replicas, ready)
    return Counts(max(before, replicas) + 1, 1, min(before, replicas)) if keeps and before else Counts(replicas, replicas, 0)


def condition(kind: str, status: bool, reason: str, message: str, before: Body, now: str, **times: str) -> dict[str, str]:
    """A condition; the time of its transition stays while its status does."""
    value = "True" if status else "False"
    old = next((one for one in before.get("conditions") or () if one["type"] == kind), None)
    since = old["lastTransitionTime"] if old and old["status"] == value else now
    return {"type": kind, "status": value, "reason": reason, "message": message, "lastTransitionTime": since, **times}


def deployment(body: Body, moment: Moment, now: str, *, rolls: bool) -> Status:
    """Status of a Deployment (deployment/sync.go, progress.go)."""
    name, replicas, before = body["metadata"]["name"], wanted(body), body.get("status") or {}
    strategy = body["spec"].get("strategy") or {}
    pods = counts(body, moment, rolls=rolls, keeps=strategy.get("type") != "Recreate")
    minimum = pods.ready >= replicas - allowed_down(strategy, replicas)
    progress = {
        Moment.MOVING: (True, "ReplicaSetUpdated", f'Deployment "{name}" is progressing. (simulated)'),
        Moment.THERE: (True, "NewReplicaSetAvailable", f'Deployment "{name}" has successfully progressed. (simulated)'),
        Moment.CRASHING: (True, "ReplicaSetUpdated", f'Deployment "{name}" is progressing; its containers crash. (simulated)'),
        Moment.FAILED: (False, "ProgressDeadlineExceeded", f'Deployment "{name}" has timed out progressing. (simulated)'),
    }[moment]
    available = (
        (True, "MinimumReplicasAvailable", "Deployment has minimum availability. (simulated)")
        if minimum
        else (False, "MinimumReplicasUnavailable", "Deployment does not have minimum availability. (simulated)")
    )
    return {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": pods.total or None,
        "updatedReplicas": pods.updated or None,
        "readyReplicas": pods.ready or None,
        "availableReplicas": pods.ready or None,
        "unavailableReplicas": (pods.total - pods.ready) or None,
        "conditions": [
            condition("Available", *available, before, now, lastUpdateTime=now),
            condition("Progressing", *progress, before, now, lastUpdateTime=now),
        ],
    }


def allowed_down(strategy: Body, replicas: int) -> int:
    """maxUnavailable in pods, rounded down; Recreate allows none."""
    if strategy.get("type") == "Recreate":
        return 0
    value = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    return int(value) if isinstance(value, int) else replicas * int(str(value).rstrip("%")) // 100


def stateful_set(body: Body, moment: Moment, now: str, *, rolls: bool) -> Status:
    """Status of a StatefulSet (statefulset/stateful_set_control.go): the last pod is replaced first, in place."""
    replicas, before = wanted(body), body.get("status") or {}
    revision = f"{body['metadata']['name']}-{template_hash(body)}"
    pods = counts(body, moment, rolls=rolls, keeps=False)
    old = before.get("readyReplicas") or 0
    rolling = bool(rolls and old and moment is not Moment.THERE)
    ready = min(old, replicas - 1) if rolling and replicas else pods.ready
    there = moment is Moment.THERE or replicas == 0
    return {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": replicas,
        "readyReplicas": ready or None,
        "availableReplicas": ready,
        "currentReplicas": (replicas if there else replicas - 1 if rolling else 0) or None,
        "updatedReplicas": (1 if rolling else replicas) or None,
        "currentRevision": revision if there or not before.get("currentRevision") else before["currentRevision"],
        "updateRevision": revision,
        "collisionCount": 0,
    }


def daemon_set(body: Body, moment: Moment, now: str, *, rolls: bool) -> Status:
    """Status of a DaemonSet on one simulated machine."""
    ready = 1 if moment is Moment.THERE else 0
    return {
        "observedGeneration": body["metadata"]["generation"],
        "currentNumberScheduled": 1,
        "desiredNumberScheduled": 1,
        "numberMisscheduled": 0,
        "updatedNumberScheduled": 1,
        "numberReady": ready,
        "numberAvailable": ready or None,
        "numberUnavailable": (1 - ready) or None,
    }


def job(body: Body, moment: Moment, now: str, *, rolls: bool) -> Status:
    """Status of a Job (job/job_controller.go); a job that ended stays as it ended."""
    spec, before = body["spec"], body.get("status") or {}
    if any(one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in before.get("conditions") or ()):
        return {}
    if spec.get("suspend"):
        return {
            "active": None,
            "conditions": [condition("Suspended", True, "JobSuspended", "Job suspended", before, now, lastProbeTime=now)],
        }
    started: Status = {"startTime": before.get("startTime") or now, "uncountedTerminatedPods": {}, "terminating": 0, "ready": 0}
    running = int(spec.get("parallelism", 1))
    limit = spec.get("backoffLimit")
    failed = 7 if limit is None else int(limit) + 1
    match moment:
        case Moment.MOVING:
            return {**started, "active": running}
        case Moment.CRASHING:
            return {**started, "active": running, "failed": 1}
        case Moment.THERE:
            reason, message = "CompletionsReached", "Reached expected number of succeeded pods (simulated)"
            ended = [condition(kind, True, reason, message, before, now, lastProbeTime=now) for kind in ("SuccessCriteriaMet", "Complete")]
            done = int(spec.get("completions") or running)
            return {**started, "active": None, "succeeded": done, "completionTime": now, "conditions": ended}
        case Moment.FAILED:
            reason, message = "BackoffLimitExceeded", "Job has reached the specified backoff limit (simulated)"
            ended = [condition(kind, True, reason, message, before, now, lastProbeTime=now) for kind in ("FailureTarget", "Failed")]
            return {**started, "active": None, "failed": failed, "conditions": ended}


def claim(body: Body, moment: Moment, now: str, *, rolls: bool) -> Status:
    """Status of a PersistentVolumeClaim: bound to a volume that nobody has."""
    if moment is not Moment.THERE:
        return {"phase": "Pending"}
    spec = body["spec"]
    return {"phase": "Bound", "accessModes": spec.get("accessModes") or [], "capacity": (spec.get("resources") or {}).get("requests") or {}}


Play = Callable[..., Status]
PLAYED: Mapping[str, Play] = {
    "/apis/apps/v1/deployments": deployment,
    "/apis/apps/v1/statefulsets": stateful_set,
    "/apis/apps/v1/daemonsets": daemon_set,
    "/apis/batch/v1/jobs": job,
    "/api/v1/persistentvolumeclaims": claim,
}


def timeless(status: Any) -> Any:
    """A status without its times and empty fields, to compare."""
    if isinstance(status, list):
        return [timeless(one) for one in status]
    if isinstance(status, dict):
        return {key: timeless(value) for key, value in status.items() if value is not None and not key.endswith(("Time", "Revision"))}
    return status
