"""What the operator may do, from what kinds render: the least, and nothing by wildcard.

What Kubernetes cannot express, and what stands in for it:

- A ClusterRole counts in every namespace. Which namespaces are ours is known by label only: `confine` admits writes into those alone.
- `impersonate` of a tenant's account is limited by its name, in every namespace. An account of that name that somebody else made
  can do what they let it do, no more; ours can do nothing outside its namespace, which `confine` sees to as well.
- Roles of tenants grant what the operator itself may not do (read secrets, run commands in pods), so it needs `escalate` and `bind`.
  Both are limited by name, and `confine` pins what the roles of those names say.
- Objects that are listed by label can only be read all or none: the operator can read every ConfigMap. It cannot read Secrets.

What Kopf asks for when it watches our kinds in the whole cluster, without peering and with handlers of events alone, is part of this:
to list and watch custom resources and their definitions, and to create events. What the server has it asks by discovery, which everybody
who is authenticated may (`system:discovery`). It asks for no namespaces, and writes no custom resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.core.crds import crd_name
from reconciler.core.home import OPERATOR, named
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.kind import Kind
from reconciler.model.manifests import SHAPES, Stage
from reconciler.model.rights import ACCOUNT, APPLY, RBAC, READ, Right, rules
from reconciler.model.spec import GROUP


def operator_rights(kinds: Iterable[Kind]) -> tuple[Right, ...]:
    """What the operator may do in the whole cluster."""
    known = tuple(kinds)
    return (*_reading(), *_tenancy(known), *_granting(known), *_projecting(known))


def role_names(kinds: Iterable[Kind]) -> tuple[str, ...]:
    """Names of the roles that kinds render."""
    return tuple(sorted({name for kind in kinds for name, _ in kind.roles}))


def _reading() -> Iterator[Right]:
    """Everything that is rendered is listed and watched, by label."""
    groups: dict[str, set[str]] = {}
    for (group, _), shape in SHAPES.items():
        groups.setdefault(group, set()).add(shape.plural)
    return (Right(group, tuple(sorted(plurals)), READ) for group, plurals in sorted(groups.items()))


def _tenancy(kinds: tuple[Kind, ...]) -> Iterator[Right]:
    """What is written as the operator. Server-side apply creates by name, so names limit creation, too."""
    roles = role_names(kinds)
    names = {"roles": roles, "rolebindings": roles, "serviceaccounts": (ACCOUNT,)}
    for (group, _), shape in SHAPES.items():
        if set(shape.stages) != {Stage.WORKLOADS}:
            yield Right(group, (shape.plural,), APPLY, names.get(shape.plural, ()))


def _granting(kinds: tuple[Kind, ...]) -> Iterator[Right]:
    yield Right(RBAC, ("roles",), ("bind", "escalate"), role_names(kinds))
    yield Right("", ("serviceaccounts",), ("impersonate",), (ACCOUNT,))


def _projecting(kinds: tuple[Kind, ...]) -> Iterator[Right]:
    """Custom resources, their status, their definitions, and events about them."""
    plurals = tuple(sorted(kind.plural for kind in kinds))
    yield Right(GROUP, plurals, (*READ, *APPLY))
    yield Right(GROUP, tuple(f"{plural}/status" for plural in plurals), ("patch",))
    yield Right("apiextensions.k8s.io", ("customresourcedefinitions",), READ)
    yield Right("apiextensions.k8s.io", ("customresourcedefinitions",), ("create", "patch"), tuple(sorted(map(crd_name, kinds))))
    yield Right("", ("events",), ("create", "patch"))


HOME_RIGHTS = (
    Right("", ("configmaps",), ("update",)),
    Right("coordination.k8s.io", ("leases",), ("get", "create", "update")),
)
"""In the operator's own namespace: inventories and the Lease are replaced by compare and set. The rest of inventories is as everywhere."""


def rbac(kinds: Iterable[Kind]) -> tuple[dict[str, Any], ...]:
    """The operator's account, its roles, and their bindings."""
    account = {"kind": "ServiceAccount", "name": OPERATOR, "namespace": SYSTEM_NAMESPACE}
    version = f"{RBAC}/v1"

    def bound(to: str) -> dict[str, Any]:
        return {"roleRef": {"apiGroup": RBAC, "kind": to, "name": OPERATOR}, "subjects": [account]}

    return (
        named("ServiceAccount", "v1", {"automountServiceAccountToken": False}),
        named("ClusterRole", version, {"rules": rules(operator_rights(kinds))}, namespaced=False),
        named("ClusterRoleBinding", version, bound("ClusterRole"), namespaced=False),
        named("Role", version, {"rules": rules(HOME_RIGHTS)}),
        named("RoleBinding", version, bound("Role")),
    )
