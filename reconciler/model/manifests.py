"""Manifests: objects of the target, desired or observed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from reconciler.model.refs import Ref
from reconciler.model.value import dataclass

Body = Mapping[str, Any]
"""A manifest as JSON. Never changed after it was made; a plain dict because freezing thousands would cost the budget."""


class ObjectId(NamedTuple):
    """What an object is, whatever its version: `apps/Deployment/platform/web`."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Stage(IntEnum):
    """Which stage of an apply writes an object. Namespaces exist before anything else is preflighted."""

    NAMESPACES = 0
    TENANCY = 1
    """Quotas, policies, roles, accounts and catalogs of tenants."""
    WORKLOADS = 2
    """Everything of services and tasks, by wave."""


class Draft(NamedTuple):
    """What a kind renders, before labels and digest are put on: a body, the spec it comes from, and when it is applied."""

    body: dict[str, Any]
    owner: Ref
    stage: Stage = Stage.WORKLOADS
    wave: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A desired object."""

    id: ObjectId
    version: str
    """`apiVersion`."""
    body: Body
    digest: str
    """Of the body without the annotations that compare ignores."""
    owner: Ref
    stage: Stage
    wave: int


@dataclass(frozen=True, slots=True)
class Observed:
    """A live object as a LIST or a watch showed it."""

    id: ObjectId
    uid: str
    resource_version: str
    body: Body


class Shape(NamedTuple):
    """How an object is addressed on the wire, and which stages of an apply write objects like it."""

    version: str
    plural: str
    namespaced: bool = True
    stages: tuple[Stage, ...] = (Stage.WORKLOADS,)


_TENANCY = (Stage.TENANCY,)
_EITHER = (Stage.TENANCY, Stage.WORKLOADS)


SHAPES: Mapping[tuple[str, str], Shape] = {
    ("", "Namespace"): Shape("v1", "namespaces", namespaced=False, stages=(Stage.NAMESPACES,)),
    ("", "ResourceQuota"): Shape("v1", "resourcequotas", stages=_TENANCY),
    ("", "LimitRange"): Shape("v1", "limitranges", stages=_TENANCY),
    ("", "ServiceAccount"): Shape("v1", "serviceaccounts", stages=_EITHER),
    ("", "ConfigMap"): Shape("v1", "configmaps", stages=_EITHER),
    ("", "PersistentVolumeClaim"): Shape("v1", "persistentvolumeclaims"),
    ("", "Service"): Shape("v1", "services"),
    ("rbac.authorization.k8s.io", "Role"): Shape("v1", "roles", stages=_TENANCY),
    ("rbac.authorization.k8s.io", "RoleBinding"): Shape("v1", "rolebindings", stages=_TENANCY),
    ("networking.k8s.io", "NetworkPolicy"): Shape("v1", "networkpolicies", stages=_EITHER),
    ("apps", "Deployment"): Shape("v1", "deployments"),
    ("batch", "CronJob"): Shape("v1", "cronjobs"),
    ("policy", "PodDisruptionBudget"): Shape("v1", "poddisruptionbudgets"),
    ("autoscaling", "HorizontalPodAutoscaler"): Shape("v2", "horizontalpodautoscalers"),
    ("networking.k8s.io", "Ingress"): Shape("v1", "ingresses"),
}
"""Every kind of object that the fleet renders, in the order in which one stage and wave applies them."""

INSTALLED: Mapping[tuple[str, str], Shape] = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Shape("v1", "customresourcedefinitions", namespaced=False),
    ("rbac.authorization.k8s.io", "ClusterRole"): Shape("v1", "clusterroles", namespaced=False),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): Shape("v1", "clusterrolebindings", namespaced=False),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): Shape("v1", "validatingadmissionpolicies", namespaced=False),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): Shape(
        "v1", "validatingadmissionpolicybindings", namespaced=False
    ),
}
"""What an installation of the operator has beyond those; no spec renders them."""

RANK: Mapping[tuple[str, str], int] = {shape: rank for rank, shape in enumerate(SHAPES)}


def identify(body: Body) -> ObjectId:
    """The identity that a body states."""
    group, _, _ = body["apiVersion"].rpartition("/")
    metadata = body["metadata"]
    return ObjectId(group, body["kind"], metadata.get("namespace", ""), metadata["name"])


MANAGER = "fleetwright"
"""Our one field manager of what git says."""
ORDERS = "fleetwright-orders"
"""The field manager of annotations by which people talk to an operator: no part of what is applied."""
MANAGED_BY = "app.kubernetes.io/managed-by"
ENVIRONMENT_LABEL = "fleetwright.dev/environment"
TENANT_LABEL = "fleetwright.dev/tenant"
KIND_LABEL = "fleetwright.dev/kind"
NAME_LABEL = "fleetwright.dev/name"
SOURCE_ANNOTATION = "fleetwright.dev/source"
REVISION_ANNOTATION = "fleetwright.dev/revision"
PAUSE_ANNOTATION = "fleetwright.dev/paused-until"
