"""What an API server refuses of a well-formed object: namespaces that are not there, names that cannot be, immutable fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.manifests import Body, ObjectId
from reconciler.ports import Refused

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_FIXED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "StatefulSet"): ("spec.selector", "spec.serviceName"),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
}
"""Fields that never change once an object exists."""


def namespace_refusal(id: ObjectId, namespace: Body | None, *, creating: bool) -> Refused | None:
    """Writes need their namespace, and none that is going away takes new objects (admission plug-in NamespaceLifecycle)."""
    if not id.namespace:
        return None
    if namespace is None:
        return not_found(ObjectId("", "Namespace", "", id.namespace))
    if creating and "deletionTimestamp" in namespace["metadata"]:
        because = f"unable to create new content in namespace {id.namespace} because it is being terminated"
        return Refused(403, "Forbidden", f'{_plural(id)} "{id.name}" is forbidden: {because}')
    return None


def invalid(id: ObjectId, before: Body | None, after: Body) -> Refused | None:
    """422 with every field that is wrong; None where nothing is."""
    causes = list(_name(id))
    causes += _selector(after) if id.kind == "Deployment" else ()
    causes += _immutable(id, before, after) if before is not None else ()
    if not causes:
        return None
    told = ", ".join(f"{field}: {why}" for field, why in causes)
    return Refused(
        422, "Invalid", f'{_qualified(id)} "{id.name}" is invalid: {told if len(causes) == 1 else f"[{told}]"}', tuple(f for f, _ in causes)
    )


def not_found(id: ObjectId) -> Refused:
    """404."""
    return Refused(404, "NotFound", f'{_plural(id)} "{id.name}" not found')


def conflict(id: ObjectId, why: str) -> Refused:
    """409 of a precondition."""
    return Refused(409, "Conflict", f'Operation cannot be fulfilled on {_plural(id)} "{id.name}": {why}')


def exists(id: ObjectId) -> Refused:
    """409 of a create."""
    return Refused(409, "AlreadyExists", f'{_plural(id)} "{id.name}" already exists')


def _name(id: ObjectId) -> Iterator[tuple[str, str]]:
    if len(id.name) > 253 or not _SUBDOMAIN.fullmatch(id.name):
        yield (
            "metadata.name",
            f'Invalid value: "{id.name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters',
        )


def _selector(body: Body) -> Iterator[tuple[str, str]]:
    spec = body.get("spec", {})
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    if not spec.get("selector"):
        yield "spec.selector", "Required value"
    elif not spec["selector"].get("matchLabels", {}).items() <= labels.items():
        yield "spec.template.metadata.labels", "Invalid value: `selector` does not match template `labels`"


def _immutable(id: ObjectId, before: Body, after: Body) -> Iterator[tuple[str, str]]:
    for field in _FIXED.get((id.group, id.kind), ()):
        if _at(before, field) != _at(after, field):
            yield field, "Invalid value: field is immutable"
    if id.kind in {"ConfigMap", "Secret"} and before.get("immutable"):
        for field in ("immutable", "data", "binaryData"):
            if before.get(field) != after.get(field):
                yield field, "Forbidden: field is immutable when `immutable` is set"
    if id.kind == "PersistentVolumeClaim" and _claim(before) != _claim(after):
        yield "spec", "Forbidden: spec is immutable after creation except resources.requests"


def _claim(body: Body) -> dict[str, Any]:
    return {name: value for name, value in body.get("spec", {}).items() if name != "resources"}


def _at(body: Body, field: str) -> Any:
    value: Any = body
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _plural(id: ObjectId) -> str:
    lower = id.kind.lower()
    plural = lower[:-1] + "ies" if lower.endswith("y") else lower + ("es" if lower.endswith("s") else "s")
    return f"{plural}.{id.group}" if id.group else plural


def _qualified(id: ObjectId) -> str:
    return f"{id.kind}.{id.group}" if id.group else id.kind
