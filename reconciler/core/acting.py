"""Acting: whom the operator writes an object as. What runs for a tenant is written by the tenant's account, all else by the operator itself.

The account's name is all that is sent: an API server that is told to impersonate a service account gives it the groups that every service
account has (`system:serviceaccounts`, those of its namespace, `system:authenticated`), and asks for no right to impersonate groups.
"""

from __future__ import annotations

from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.manifests import KIND_LABEL, SHAPES, Body, ObjectId, Stage, identify
from reconciler.model.rights import ACCOUNT

PREFIX = "system:serviceaccount:"
"""Of the user names of service accounts (Kubernetes: Authenticating)."""
GOVERNING = "Tenant"
"""The kind whose objects govern a tenant: they are not for the tenant's account to write."""


def tenant_account(namespace: str) -> str:
    """The user name of the account of a tenant's namespace."""
    return f"{PREFIX}{namespace}:{ACCOUNT}"


def acting(body: Body) -> str | None:
    """The user to impersonate for a write, a dry-run or a deletion of this object, or None: as ourselves.

    Where both write objects of a kind, the object's label tells whose it is. An object that somebody took the label from is treated as a
    workload: the tenant's account may do less than the operator.
    """
    id = identify(body)  # what the model calls it
    shape = SHAPES.get(id[:2])
    if shape is None or Stage.WORKLOADS not in shape.stages or id.namespace in ("", SYSTEM_NAMESPACE):
        return None
    if len(shape.stages) > 1 and (body["metadata"].get("labels") or {}).get(KIND_LABEL) == GOVERNING:
        return None
    return tenant_account(id.namespace)


def opens(id: ObjectId) -> bool:
    """Whether an object is one of those that let a tenant's account write: the account, its role, their binding."""
    return id.name == ACCOUNT and id.kind in ("ServiceAccount", "Role", "RoleBinding")
