"""Shadow kinds: custom resource definitions for the built-in kinds, generated from the schemas that client-go has of them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

SUFFIX = "shadow.fleetwright.dev"  # a custom resource's group needs a dot; nothing else may hold this text
CORE = f"core.{SUFFIX}"
NAMESPACES = "shadownamespaces"  # request paths give the word "namespaces" a meaning of its own

Types = Mapping[str, Any]
Schema = dict[str, Any]


class Shadow(NamedTuple):
    """One built-in kind: how it is called; its fields come from the types."""

    group: str
    version: str
    kind: str
    plural: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    columns: tuple[str, ...] = ()  # of `kubectl get`, as "Name=path"

    @property
    def shadow_group(self) -> str:
        return f"{self.group}.{SUFFIX}" if self.group else CORE

    @property
    def shadow_plural(self) -> str:
        return NAMESPACES if self.kind == "Namespace" else self.plural

    @property
    def type_name(self) -> str:
        return f"io.k8s.api.{self.group.split('.')[0] or 'core'}.{self.version}.{self.kind}"


READY = ("Desired=.spec.replicas", "Ready=.status.readyReplicas")
KINDS = (
    Shadow("", "v1", "Namespace", "namespaces", ("ns",), namespaced=False),
    Shadow("", "v1", "ConfigMap", "configmaps", ("cm",)),
    Shadow("", "v1", "Secret", "secrets", (), columns=("Type=.type",)),
    Shadow("", "v1", "Service", "services", ("svc",), columns=("Type=.spec.type",)),
    Shadow("", "v1", "ServiceAccount", "serviceaccounts", ("sa",)),
    Shadow("", "v1", "Event", "events", ("ev",), columns=("Reason=.reason", "Message=.message")),
    Shadow("", "v1", "Pod", "pods", ("po",), columns=("Phase=.status.phase",)),
    Shadow("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", ("pvc",), columns=("Phase=.status.phase",)),
    Shadow("", "v1", "ResourceQuota", "resourcequotas", ("quota",)),
    Shadow("", "v1", "LimitRange", "limitranges", ("limits",)),
    Shadow("", "v1", "Endpoints", "endpoints", ("ep",)),
    Shadow("apps", "v1", "Deployment", "deployments", ("deploy",), columns=(*READY, "Available=.status.availableReplicas")),
    Shadow("apps", "v1", "StatefulSet", "statefulsets", ("sts",), columns=READY),
    Shadow("apps", "v1", "DaemonSet", "daemonsets", ("ds",), columns=("Ready=.status.numberReady",)),
    Shadow("apps", "v1", "ReplicaSet", "replicasets", ("rs",), columns=READY),
    Shadow("batch", "v1", "Job", "jobs", (), columns=("Succeeded=.status.succeeded",)),
    Shadow("batch", "v1", "CronJob", "cronjobs", ("cj",), columns=("Schedule=.spec.schedule",)),
    Shadow("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", ("pdb",)),
    Shadow("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", ("hpa",)),
    Shadow("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", ("netpol",)),
    Shadow("networking.k8s.io", "v1", "Ingress", "ingresses", ("ing",)),
    Shadow("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Shadow("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Shadow("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False),
    Shadow("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Shadow("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False),
    Shadow("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False),
    Shadow("coordination.k8s.io", "v1", "Lease", "leases", columns=("Holder=.spec.holderIdentity",)),
)
SCALED = {"Deployment", "StatefulSet", "ReplicaSet"}

ANYTHING: Schema = {"x-kubernetes-preserve-unknown-fields": True}
NUMBER_OR_TEXT: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
UNTYPED: Mapping[str, Schema] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": NUMBER_OR_TEXT,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": NUMBER_OR_TEXT,
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": "string", "format": "date-time", "nullable": True},
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": {"type": "string", "format": "date-time", "nullable": True},
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": {"type": "object", **ANYTHING},
    "io.k8s.apimachinery.pkg.runtime.RawExtension": {"type": "object", **ANYTHING},
    "__untyped_atomic_": ANYTHING,
    "__untyped_deduced_": ANYTHING,
}
SCALARS: Mapping[str, Schema] = {
    "string": {"type": "string"},
    "numeric": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "untyped": ANYTHING,
}


def schema(types: Types, use: Any, keys: tuple[str, ...] = ()) -> Schema:
    """The structural schema of one use of a type; `keys` are the fields that identify it in the list that it is an item of."""
    name = use.get("namedType")
    if name in UNTYPED:
        return dict(UNTYPED[name])
    found = types[name] if name else use
    relation = use.get("elementRelationship")
    if "scalar" in found:
        return dict(SCALARS[found["scalar"]])
    if "list" in found:
        return list_schema(types, found["list"])
    return map_schema(types, found["map"], keys, relation)


def list_schema(types: Types, found: Any) -> Schema:
    keys = tuple(found.get("keys", ()))
    kind = "map" if keys else ("set" if found["elementRelationship"] == "associative" else "atomic")
    result: Schema = {"type": "array", "items": schema(types, found["elementType"], keys), "x-kubernetes-list-type": kind}
    return {**result, "x-kubernetes-list-map-keys": list(keys)} if keys else result


def map_schema(types: Types, found: Any, keys: tuple[str, ...], relation: str | None) -> Schema:
    result: Schema = {"type": "object"}
    if "atomic" in {relation, found.get("elementRelationship")}:
        result["x-kubernetes-map-type"] = "atomic"
    if "fields" not in found:
        return {**result, "additionalProperties": schema(types, found["elementType"])}
    result["properties"] = {field["name"]: schema(types, field["type"]) for field in found["fields"]}
    defaults = {field["name"]: field["default"] for field in found["fields"] if field["name"] in keys and field.get("default")}
    for key, default in defaults.items():
        result["properties"][key]["default"] = default
    if required := [key for key in keys if key not in defaults]:
        result["required"] = required
    return result


def definition(types: Types, shadow: Shadow) -> dict[str, Any]:
    """The custom resource definition that stands in for one built-in kind."""
    body = schema(types, {"namedType": shadow.type_name})
    body["properties"]["metadata"] = {"type": "object"}
    subresources: dict[str, Any] = {"status": {}} if "status" in body["properties"] else {}
    if shadow.kind in SCALED:
        subresources["scale"] = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    columns = [
        dict(zip(("name", "jsonPath"), column.split("=", 1), strict=True))
        for column in (*shadow.columns, "Age=.metadata.creationTimestamp")
    ]
    for column in columns:
        column["type"] = "date" if column["name"] == "Age" else "integer" if "eplicas" in column["jsonPath"] else "string"
    version = {
        "name": shadow.version,
        "served": True,
        "storage": True,
        "subresources": subresources,
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": body},
    }
    names = {"kind": shadow.kind, "listKind": f"{shadow.kind}List", "plural": shadow.shadow_plural, "singular": shadow.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{shadow.shadow_plural}.{shadow.shadow_group}"},
        "spec": {
            "group": shadow.shadow_group,
            "names": {**names, "shortNames": list(shadow.short), "categories": ["all"] if shadow.columns else []},
            "scope": "Namespaced" if shadow.namespaced else "Cluster",
            "versions": [version],
        },
    }


def definitions(types: Types) -> Iterator[dict[str, Any]]:
    return (definition(types, shadow) for shadow in KINDS)
