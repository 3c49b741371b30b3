"""Workloads: hardened pod templates and the objects that carry them, as plain manifests. Shared by every kind that runs something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from reconciler.model.canonical import digest
from reconciler.model.fleet import Hardware
from reconciler.model.manifests import TENANT_LABEL
from reconciler.model.quantities import format_cpu, format_memory
from reconciler.model.running import Running, Site
from reconciler.model.value import dataclass

NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
CONTAINER = "app"
OWN_ENV = ("FLEETWRIGHT_REPORT_URL", "FLEETWRIGHT_SERVICE", "FORCE_IMAGE_TAG", "GIT_SHA", "IMAGE_DIGEST", "IMAGE_TAG", "SPEC_DIGEST")
"""Variables that every pod gets from us."""

# The restricted Pod Security Standard, and a read-only root on top of it.
_CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
_SECCOMP = {"type": "RuntimeDefault"}
TMP = "/tmp"  # noqa: S108 - a path in the container
_TMP_VOLUME = {"name": "tmp", "emptyDir": {}}
_TMP_MOUNT = {"name": "tmp", "mountPath": TMP}
_DEFAULT_GRACE = 30
_LATE_START = 600


@dataclass(frozen=True, slots=True)
class Pod:
    """What one pod is made of."""

    name: str
    """Of the workload: `core-tasks-maintenance`."""
    instance: str
    """Of the service it is part of: `core-tasks`."""
    tenant: str
    image: Running
    site: Site
    hardware: Hardware
    user: int
    env: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable -> `secret/key`."""
    component: str = ""
    entrypoint: Sequence[str] = ()
    args: Sequence[str] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    probes: Mapping[str, Any] = field(default_factory=dict)
    volumes: Sequence[Mapping[str, Any]] = ()
    mounts: Sequence[Mapping[str, Any]] = ()
    claims: bool = False
    """Some volume outlives the pod, so its files are given to the pod's group."""
    grace: int = _DEFAULT_GRACE
    """Seconds between the signal to stop and the end."""
    account: str | None = None


def selector(pod: Pod) -> dict[str, str]:
    """Labels that tell this workload's pods from all others in the namespace; they can never change."""
    return {NAME: pod.name, INSTANCE: pod.instance}


def template(pod: Pod) -> dict[str, Any]:
    """The pod template. SPEC_DIGEST is the digest of all that the spec puts into it, whatever image runs."""
    env = [{"name": name, "value": value.replace("$(", "$$(")} for name, value in pod.env.items()]
    env += [_secret(name, key) for name, key in pod.secrets.items()]
    env.sort(key=_name)
    container = _container(pod, env)
    body = {"metadata": {"labels": _labels(pod)}, "spec": _pod_spec(pod, container)}
    told = {**pod.image.env, "SPEC_DIGEST": digest(body)}
    container["image"] = pod.image.reference
    container["env"] = [{"name": name, "value": told[name]} for name in sorted(told)] + env
    return body


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"])


def _secret(variable: str, secret_key: str) -> dict[str, Any]:
    secret, _, key = secret_key.partition("/")
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _labels(pod: Pod) -> dict[str, str]:
    labels = {**selector(pod), TENANT_LABEL: pod.tenant}
    if pod.component:
        labels[COMPONENT] = pod.component
    return labels


def _container(pod: Pod, env: list[dict[str, Any]]) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": CONTAINER,
        "env": env,
        "resources": resources(pod.hardware, pod.site.gpu),
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [_TMP_MOUNT, *pod.mounts],
        **pod.probes,
    }
    if pod.entrypoint:
        container["command"] = list(pod.entrypoint)
    if pod.args:
        container["args"] = list(pod.args)
    if pod.ports:
        container["ports"] = [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in sorted(pod.ports.items())]
    return container


def _pod_spec(pod: Pod, container: dict[str, Any]) -> dict[str, Any]:
    security: dict[str, Any] = {"runAsNonRoot": True, "runAsUser": pod.user, "runAsGroup": pod.user, "seccompProfile": _SECCOMP}
    if pod.claims:
        security |= {"fsGroup": pod.user, "fsGroupChangePolicy": "OnRootMismatch"}
    spec: dict[str, Any] = {
        "serviceAccountName": pod.account or pod.instance,
        "automountServiceAccountToken": False,
        # Otherwise every Service of the namespace puts variables such as REDIS_PORT into every pod.
        "enableServiceLinks": False,
        "securityContext": security,
        "nodeSelector": dict(pod.site.node_selector),
        "containers": [container],
        "volumes": [_TMP_VOLUME, *pod.volumes],
    }
    if pod.site.pull_secret:
        spec["imagePullSecrets"] = [{"name": pod.site.pull_secret}]
    if pod.grace != _DEFAULT_GRACE:
        spec["terminationGracePeriodSeconds"] = pod.grace
    return spec


def resources(hardware: Hardware, gpu: str) -> dict[str, Any]:
    """Requests and limits of one pod; a GPU profile takes one share of the card."""
    memory = format_memory(hardware.memory)
    limits = {"memory": format_memory(hardware.memory_limit) if hardware.memory_limit else memory}
    if hardware.cpu_limit:
        limits["cpu"] = format_cpu(hardware.cpu_limit)
    if hardware.gpu_memory:
        limits[gpu] = "1"
    return {"requests": {"cpu": format_cpu(hardware.cpu), "memory": memory}, "limits": limits}


def deployment(pod: Pod, namespace: str, replicas: int | None, *, recreate: bool) -> dict[str, Any]:
    """A Deployment; `replicas` is None where something else sets them."""
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector(pod)},
        "strategy": {"type": "Recreate"} if recreate else {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": template(pod),
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": pod.name, "namespace": namespace}, "spec": spec}


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a CronJob starts its job, and how often it tries."""

    cron: str
    timezone: str
    suspended: bool
    attempts: int
    limit: int | None
    """Seconds that all attempts together may take."""


def cron_job(pod: Pod, namespace: str, timetable: Timetable) -> dict[str, Any]:
    """A CronJob; a start while the last job still runs is left out."""
    body = template(pod)
    body["spec"]["restartPolicy"] = "Never"
    job: dict[str, Any] = {"backoffLimit": timetable.attempts - 1, "template": body}
    if timetable.limit is not None:
        job["activeDeadlineSeconds"] = timetable.limit
    spec = {
        "schedule": timetable.cron,
        "timeZone": timetable.timezone,
        "suspend": timetable.suspended,
        "concurrencyPolicy": "Forbid",
        # Without it a controller that was away for 100 starts gives up on the CronJob (Kubernetes, "CronJob limitations").
        "startingDeadlineSeconds": _LATE_START,
        "jobTemplate": {"metadata": {"labels": _labels(pod)}, "spec": job},
    }
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": pod.name, "namespace": namespace}, "spec": spec}
