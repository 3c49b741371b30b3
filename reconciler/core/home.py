"""The operator's home: its names, and the namespace where inventories and Leases live."""

from __future__ import annotations

from typing import Any

from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.manifests import MANAGED_BY, MANAGER, Body

OPERATOR = "fleetwright-operator"
"""Every object of the operator's own is named so."""
LABELS = {MANAGED_BY: MANAGER, "app.kubernetes.io/name": OPERATOR}
USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{OPERATOR}"
"""The operator as API servers know it."""
_SECURITY = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
NAMESPACE: Body = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": SYSTEM_NAMESPACE, "labels": {MANAGED_BY: MANAGER, **_SECURITY}},
}
"""Applied by every run and by the installation, as one manager: what only one of them said, the other would take away."""


def named(kind: str, version: str, content: dict[str, Any], *, namespaced: bool = True, name: str = OPERATOR) -> dict[str, Any]:
    """An object of the operator's own."""
    metadata: dict[str, Any] = {"name": name, "labels": LABELS}
    if namespaced:
        metadata["namespace"] = SYSTEM_NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
