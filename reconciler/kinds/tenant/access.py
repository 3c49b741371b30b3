"""Who may do what in a tenant's namespace: roles of its members, and of the account that the reconciler applies as."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.kinds.tenant.spec import TenantSpec
from reconciler.kinds.tool_catalog.spec import Role
from reconciler.model.manifests import SHAPES, Stage
from reconciler.model.rights import ACCOUNT, APPLY, RBAC, READ, Right, rules

_WRITE = (*READ, "create", "update", "patch", "delete")
_MORE: dict[Role, tuple[Right, ...]] = {
    "viewer": (
        Right("", ("configmaps", "endpoints", "events", "limitranges", "persistentvolumeclaims", "pods", "pods/log", "pods/status",
              "resourcequotas", "serviceaccounts", "services"), READ),
        Right("apps", ("deployments", "replicasets", "statefulsets"), READ),
        Right("autoscaling", ("horizontalpodautoscalers",), READ),
        Right("batch", ("cronjobs", "jobs"), READ),
        Right("discovery.k8s.io", ("endpointslices",), READ),
        Right("metrics.k8s.io", ("pods",), ("get", "list")),
        Right("networking.k8s.io", ("ingresses", "networkpolicies"), READ),
        Right("policy", ("poddisruptionbudgets",), READ),
    ),
    "operator": (
        Right("", ("pods",), ("delete",)),
        Right("", ("pods/eviction", "pods/portforward"), ("create",)),
        Right("batch", ("jobs",), ("create", "delete")),
    ),
    "admin": (
        Right("", ("secrets",), _WRITE),
        Right("", ("pods/exec",), ("create",)),
    ),
    "owner": (Right(RBAC, ("rolebindings", "roles"), READ),),
}  # fmt: skip
"""What each role may do beyond the lesser ones. Workloads change by a commit, so nobody may write those."""


def access(tenant: TenantSpec, namespace: str) -> Iterator[dict[str, Any]]:
    """Role, binding and account objects, the roles that members have first."""
    for role in _MORE:
        members = sorted(member for member, has in tenant.members.items() if has == role)
        if members:
            subjects = [{"apiGroup": RBAC, "kind": "User", "name": member} for member in members]
            yield _role(namespace, f"tenant-{role}")
            yield _binding(namespace, f"tenant-{role}", subjects)
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": namespace},
        "automountServiceAccountToken": False,
    }
    yield _role(namespace, ACCOUNT)
    yield _binding(namespace, ACCOUNT, [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}])


def _account() -> tuple[Right, ...]:
    """To write all that services and tasks render, by API group. Reading is the operator's."""
    groups: dict[str, list[str]] = {}
    for (group, _), shape in SHAPES.items():
        if Stage.WORKLOADS in shape.stages:
            groups.setdefault(group, []).append(shape.plural)
    return tuple(Right(group, tuple(sorted(plurals)), APPLY) for group, plurals in sorted(groups.items()))


def _roles() -> Iterator[tuple[str, tuple[Right, ...]]]:
    granted: tuple[Right, ...] = ()
    for role, more in _MORE.items():
        granted += more
        yield f"tenant-{role}", granted
    yield ACCOUNT, _account()


ROLES = dict(_roles())
"""Every role of a tenant's namespace, by name. They are the same in all of them."""


def _role(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": rules(ROLES[name]),
    }


def _binding(namespace: str, name: str, subjects: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        "subjects": subjects,
    }
