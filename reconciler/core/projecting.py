"""Projecting: what custom resources git asks for, whose a live one is, and what of it is ours to say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from reconciler.core.facts import by_subject
from reconciler.core.layout import UNKNOWN
from reconciler.core.orders import PAUSED, RECONCILE
from reconciler.core.ownership import fields_of, is_ours
from reconciler.core.render import labels
from reconciler.core.resolve import UNFIT
from reconciler.core.values import substitute
from reconciler.model.canonical import dumps
from reconciler.model.findings import Finding, errors
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.kind import Kind
from reconciler.model.manifests import (
    ENVIRONMENT_LABEL,
    KIND_LABEL,
    MANAGED_BY,
    MANAGER,
    NAME_LABEL,
    SOURCE_ANNOTATION,
    TENANT_LABEL,
    Body,
    ObjectId,
)
from reconciler.model.refs import Ref
from reconciler.model.spec import API_VERSION, GROUP
from reconciler.model.value import dataclass

COMMANDS = (PAUSED, RECONCILE)
"""Annotations by which people talk to the operator."""
_LABELS = (MANAGED_BY, ENVIRONMENT_LABEL, KIND_LABEL, NAME_LABEL, TENANT_LABEL)


@dataclass(frozen=True, slots=True)
class Projection:
    """The custom resources that a graph asks for."""

    graph: Graph
    ids: Mapping[ObjectId, Ref]
    """Everything in git, broken or not."""
    findings: Mapping[Ref, tuple[Finding, ...]]
    prunes: bool
    """Whether what git does not have may go: not while a file cannot be read, since it may be that file's."""

    def body(self, ref: Ref) -> Body | None:
        """The custom resource without its status: the spec as it is written, with the environment's values.

        None for what has no spec that a server would take: a broken file, a value that does not fit.
        """
        resource = self.graph.fleet.resources.get(ref)
        if resource is None or any(finding.code == UNFIT.id for finding in self.findings.get(ref, ())):
            return None
        where = self.graph.environment
        id = id_of(ref, where)
        metadata: dict[str, Any] = {
            "name": id.name,
            **({"namespace": id.namespace} if id.namespace else {}),
            "labels": labels(ref, where.id),
            "annotations": {SOURCE_ANNOTATION: resource.document.path},
        }
        spec = substitute(resource.document.value["spec"], where.values)
        return {"apiVersion": API_VERSION, "kind": ref.kind, "metadata": metadata, "spec": spec}


def projection(graph: Graph, kinds: tuple[Kind, ...]) -> Projection:
    """What this graph asks for."""
    known = {kind.name: kind.scope for kind in kinds}
    refs = [*graph.fleet.resources, *sorted(ref for ref in graph.fleet.broken if ref.kind != UNKNOWN)]
    ids = {id_of(ref, graph.environment): ref for ref in refs if (known.get(ref.kind) == "tenant") == bool(ref.tenant)}
    prunes = not (graph.fleet.broken or errors(graph.fleet.findings))
    return Projection(graph, ids, by_subject(dict.fromkeys((*graph.fleet.findings, *graph.findings))), prunes)


def id_of(ref: Ref, environment: Environment) -> ObjectId:
    """The custom resource of a spec."""
    return ObjectId(GROUP, ref.kind, environment.namespace(ref.tenant) if ref.tenant else "", ref.name)


def ref_of(id: ObjectId, environment: Environment) -> Ref:
    """The spec of a custom resource."""
    return Ref(id.kind, id.name, id.namespace.removeprefix(environment.namespace_prefix))


class Whose(StrEnum):
    """Who a live custom resource belongs to."""

    OURS = "ours"
    """This environment's, by label and by who wrote it; or ours by who wrote it, without its label."""
    OTHERS = "others"
    """Another environment's."""
    NOBODYS = "nobodys"
    """Made by hand."""


def whose(body: Body, environment_id: str) -> Whose:
    """Who it belongs to. A label alone can be forged."""
    label = body["metadata"].get("labels", {}).get(ENVIRONMENT_LABEL, environment_id)
    if label != environment_id:
        return Whose.OTHERS
    return Whose.OURS if is_ours(body) else Whose.NOBODYS


def is_labelled(body: Body) -> bool:
    """Whether it says which environment it belongs to."""
    return ENVIRONMENT_LABEL in body["metadata"].get("labels", {})


def mark(body: Body) -> bytes:
    """A digest of what is ours to say of a custom resource, wanted or live: spec, our labels, the source."""
    metadata = body["metadata"]
    found = metadata.get("labels", {})
    ours = [found.get(label) for label in _LABELS]
    source = metadata.get("annotations", {}).get(SOURCE_ANNOTATION)
    return hashlib.sha256(dumps([body.get("spec"), ours, source])).digest()[:16]


def commands(body: Body) -> Mapping[str, str]:
    """What people asked of the operator."""
    annotations = body["metadata"].get("annotations", {})
    return {name: annotations[name] for name in COMMANDS if name in annotations}


def carried(body: Body) -> Mapping[str, str]:
    """Annotations that came to us with fields that we took over: they stay, so the next apply says them, too."""
    owned = (fields_of(body) or {}).get("f:metadata", {}).get("f:annotations", {})
    annotations = body["metadata"].get("annotations", {})
    return {name: value for name, value in annotations.items() if f"f:{name}" in owned and name != SOURCE_ANNOTATION}


def hands(body: Body, subresource: str = "") -> tuple[str, ...]:
    """Who else owns something that is ours to say: of the spec, of our labels, or of the status."""
    return tuple(
        sorted(
            {
                entry["manager"]
                for entry in body["metadata"].get("managedFields", ())
                if entry.get("subresource", "") == subresource and (entry["manager"], entry["operation"]) != (MANAGER, "Apply")
                if _meddles(entry.get("fieldsV1", {}), subresource)
            }
        )
    )


def _meddles(fields: Mapping[str, Any], subresource: str) -> bool:
    if subresource:
        return f"f:{subresource}" in fields
    metadata = fields.get("f:metadata", {})
    found = {*metadata.get("f:labels", {}), *metadata.get("f:annotations", {})}
    return "f:spec" in fields or not found.isdisjoint(f"f:{name}" for name in (*_LABELS, SOURCE_ANNOTATION))
