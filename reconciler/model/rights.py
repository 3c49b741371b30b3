"""Rights: rules of roles (Kubernetes RBAC), as kinds state them and as manifests write them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

RBAC = "rbac.authorization.k8s.io"
ACCOUNT = "fleetwright-reconciler"
"""The account of a tenant's namespace that its workloads are applied and pruned as."""
READ = ("get", "list", "watch")
APPLY = ("create", "patch", "delete")
"""What server-side apply and prune take. Nothing of ours replaces (`update`) what it did not create by name."""


class Right(NamedTuple):
    """One rule: verbs on resources of one API group, all of them or those of these names."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()


def rules(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """Rights as the `rules` of a Role."""
    return [_rule(right) for right in rights]


def _rule(right: Right) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": [right.group], "resources": list(right.resources), "verbs": list(right.verbs)}
    return {**rule, "resourceNames": list(right.names)} if right.names else rule
