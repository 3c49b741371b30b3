"""Who may do what in a tenant's namespace: roles of its members, and of the account that the reconciler applies as."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.kinds.tenant.spec import TenantSpec
from reconciler.kinds.tool_catalog.spec import Role
from reconciler.model.manifests import SHAPES

RBAC = "rbac.authorization.k8s.io"
RECONCILER = "fleetwright-reconciler"
"""The account of a tenant's namespace that its workloads are applied and pruned as."""

_READ = ("get", "list", "watch")
_WRITE = (*_READ, "create", "update", "patch", "delete")
_TENANCY = {"Namespace", "ResourceQuota", "LimitRange", "Role", "RoleBinding"}
"""Kinds that only the operator itself writes."""

_Rule = tuple[str, tuple[str, ...], tuple[str, ...]]
_RULES: dict[Role, tuple[_Rule, ...]] = {
    "viewer": (
        ("", ("configmaps", "endpoints", "events", "limitranges", "persistentvolumeclaims", "pods", "pods/log", "pods/status",
              "resourcequotas", "serviceaccounts", "services"), _READ),
        ("apps", ("deployments", "replicasets", "statefulsets"), _READ),
        ("autoscaling", ("horizontalpodautoscalers",), _READ),
        ("batch", ("cronjobs", "jobs"), _READ),
        ("discovery.k8s.io", ("endpointslices",), _READ),
        ("metrics.k8s.io", ("pods",), ("get", "list")),
        ("networking.k8s.io", ("ingresses", "networkpolicies"), _READ),
        ("policy", ("poddisruptionbudgets",), _READ),
    ),
    "operator": (
        ("", ("pods",), ("delete",)),
        ("", ("pods/eviction", "pods/portforward"), ("create",)),
        ("batch", ("jobs",), ("create", "delete")),
    ),
    "admin": (
        ("", ("secrets",), _WRITE),
        ("", ("pods/exec",), ("create",)),
    ),
    "owner": ((RBAC, ("rolebindings", "roles"), _READ),),
}  # fmt: skip
"""What each role may do beyond the lesser ones. Workloads change by a commit, so nobody may write those."""


def access(tenant: TenantSpec, namespace: str) -> Iterator[dict[str, Any]]:
    """Role, binding and account objects, the roles that members have first."""
    granted: list[_Rule] = []
    for role, rules in _RULES.items():
        granted += rules
        members = sorted(member for member, has in tenant.members.items() if has == role)
        if members:
            subjects = [{"apiGroup": RBAC, "kind": "User", "name": member} for member in members]
            yield _role(namespace, f"tenant-{role}", granted)
            yield _binding(namespace, f"tenant-{role}", subjects)
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": RECONCILER, "namespace": namespace},
        "automountServiceAccountToken": False,
    }
    yield _role(namespace, RECONCILER, _reconciler())
    yield _binding(namespace, RECONCILER, [{"kind": "ServiceAccount", "name": RECONCILER, "namespace": namespace}])


def _reconciler() -> list[_Rule]:
    """All that services and tasks render, by API group."""
    groups: dict[str, list[str]] = {}
    for (group, kind), shape in SHAPES.items():
        if kind not in _TENANCY:
            groups.setdefault(group, []).append(shape.plural)
    return [(group, tuple(sorted(plurals)), _WRITE) for group, plurals in sorted(groups.items())]


def _role(namespace: str, name: str, rules: list[_Rule]) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": [{"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)} for group, resources, verbs in rules],
    }


def _binding(namespace: str, name: str, subjects: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        "subjects": subjects,
    }
