"""The installation: everything that an operator is made of in a cluster, in the order in which it is applied."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from reconciler.core.confine import confinement
from reconciler.core.crds import crds
from reconciler.core.home import LABELS, NAMESPACE, OPERATOR, named
from reconciler.core.rbac import rbac
from reconciler.model.kind import Kind
from reconciler.model.manifests import Body
from reconciler.model.value import dataclass

HTTP = 8080
"""Probes, metrics and webhooks."""
_USER = 10001
SECRETS = {"git": "fleetwright-git", "hooks": "fleetwright-hooks", "notifications": "fleetwright-notifications"}
"""Secrets of the operator that a person makes, if they are needed; each is a folder of its pod. See `docs/how-to/run-the-operator.md`."""
_FOLDER, _STATE = "/etc/fleetwright", "/var/lib/fleetwright"
_KUBERNETES, _HTTPS, _SSH = 6443, 443, 22


class Part(StrEnum):
    """A part of the installation that can be had by itself."""

    CRDS = "crds"
    """The definitions of custom resources."""
    RBAC = "rbac"
    """The account, its rights, and what confines it."""
    OPERATOR = "operator"
    """The Deployment with its Service and NetworkPolicy."""


@dataclass(frozen=True, slots=True)
class Running:
    """What the Deployment runs."""

    image: str
    environment: str
    git: str
    """Address of the repository that it follows."""
    branch: str


def installation(kinds: Iterable[Kind], running: Running | None, parts: Iterable[Part] = tuple(Part)) -> tuple[Body, ...]:
    """The objects of these parts. `running` is needed for the part `operator` alone; ValueError where it is missing."""
    known, wanted = tuple(kinds), frozenset(parts)
    found: list[Body] = []
    if wanted - {Part.CRDS}:
        found.append(NAMESPACE)
    if Part.CRDS in wanted:
        found += crds(known)
    if Part.RBAC in wanted:
        found += (*confinement(known), *rbac(known))
    if Part.OPERATOR in wanted:
        if running is None:
            raise ValueError("nothing is said of what the operator is to run")
        found += (_network(), _service(), _deployment(running))
    return tuple(found)


def _service() -> dict[str, Any]:
    port = {"name": "http", "port": HTTP, "targetPort": "http", "protocol": "TCP"}
    return named("Service", "v1", {"spec": {"selector": LABELS, "ports": [port]}})


def _network() -> dict[str, Any]:
    """In: metrics and webhooks. Out: DNS, the API server (whose address no policy can name) and git."""
    dns = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [_port(53, "UDP"), _port(53)],
    }
    outside = {"ports": [_port(number) for number in (_KUBERNETES, _HTTPS, _SSH)]}
    spec = {
        "podSelector": {"matchLabels": LABELS},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [_port(HTTP)]}],
        "egress": [dns, outside],
    }
    return named("NetworkPolicy", "networking.k8s.io/v1", {"spec": spec})


def _port(number: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"port": number, "protocol": protocol}


def _deployment(running: Running) -> dict[str, Any]:
    """One replica that never has a second beside it: the Lease would keep that one waiting anyway."""
    security = {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod = {
        "serviceAccountName": OPERATOR,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "securityContext": security,
        "terminationGracePeriodSeconds": 30,
        "containers": [_container(running)],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            {"name": "state", "emptyDir": {}},
            *({"name": name, "secret": {"secretName": secret, "optional": True, "defaultMode": 0o440}} for name, secret in SECRETS.items()),
        ],
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    return named("Deployment", "apps/v1", {"spec": spec})


def _arguments(running: Running) -> list[str]:
    follow = ["--env", running.environment, "--git", running.git, "--branch", running.branch, "--credentials", f"{_FOLDER}/git"]
    secrets = ["--hook-secrets", f"{_FOLDER}/hooks", "--notification-secrets", f"{_FOLDER}/notifications"]
    return ["operator", "run", *follow, *secrets, "--state", _STATE, "--listen", f"0.0.0.0:{HTTP}", "--logs", "json"]


def _container(running: Running) -> dict[str, Any]:
    return {
        "name": "operator",
        "image": running.image,
        "args": _arguments(running),
        "env": [{"name": "HOME", "value": "/tmp"}, {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],  # noqa: S108
        "ports": [{"name": "http", "containerPort": HTTP, "protocol": "TCP"}],
        "startupProbe": _probe("/readyz", failures=30),
        "readinessProbe": _probe("/readyz", failures=3),
        "livenessProbe": _probe("/livez", failures=3),
        "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path in the container
            {"name": "state", "mountPath": _STATE},
            *({"name": name, "mountPath": f"{_FOLDER}/{name}", "readOnly": True} for name in SECRETS),
        ],
    }


def _probe(path: str, failures: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": failures}
