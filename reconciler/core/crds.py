"""CustomResourceDefinitions of all kinds, from their models. Custom resources are git's projection: status, `kubectl get`, annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.core.schema import Schema
from reconciler.core.structural import CEL, structural
from reconciler.model.kind import Column, Kind
from reconciler.model.manifests import MANAGED_BY, MANAGER, Shape
from reconciler.model.projection import READY, Standing
from reconciler.model.spec import API_VERSION, GROUP, NAME_LENGTH, NAME_PATTERN

CATEGORY = "fleet"
"""`kubectl get fleet` lists all kinds."""
_VERSION = API_VERSION.partition("/")[2]


def condition(type: str, field: str = "status") -> str:
    """Where a printer column finds a field of a condition."""
    return f'.status.conditions[?(@.type=="{type}")].{field}'


_FIRST = (
    Column("Ready", condition(READY), "Whether all is as the spec says."),
    Column("Reason", condition(READY, "reason"), "Why it is so, in a word."),
)
_LAST = (
    Column("Held", condition("Held"), "Whether it is pinned.", wide=True),
    Column("Revision", ".status.revision", "The commit that last changed it.", wide=True),
    Column("Message", condition(READY, "message"), "Why it is so, in a sentence.", wide=True),
    Column("Age", ".metadata.creationTimestamp", "How long the custom resource has been there.", type="date"),
)


def crds(kinds: Iterable[Kind]) -> tuple[dict[str, Any], ...]:
    """The definition of each kind, in the kinds' order. Every call gives the same."""
    return tuple(_crd(kind) for kind in kinds)


def crd_name(kind: Kind) -> str:
    """The name of a kind's definition: `fleetservices.fleetwright.dev`."""
    return f"{kind.plural}.{GROUP}"


def shapes(kinds: Iterable[Kind]) -> Mapping[tuple[str, str], Shape]:
    """How custom resources are addressed, by group and kind."""
    return {(GROUP, kind.name): Shape(_VERSION, kind.plural, namespaced=kind.scope == "tenant", stages=()) for kind in kinds}


def columns(kind: Kind) -> tuple[Column, ...]:
    """What `kubectl get` shows of a kind: the kind's own columns between those of all. Of two with one name the kind's counts."""
    own = {column.name for column in kind.columns}
    first, last = ([column for column in shared if column.name not in own] for shared in (_FIRST, _LAST))
    return (*first, *kind.columns, *last)


def _crd(kind: Kind) -> dict[str, Any]:
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": f"fleet{kind.name.lower()}",
        "shortNames": list(kind.short_names),
        "categories": [CATEGORY],
    }
    version = {
        "name": _VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in columns(kind)],
        "schema": {"openAPIV3Schema": _document(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": crd_name(kind), "labels": {MANAGED_BY: MANAGER}},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced" if kind.scope == "tenant" else "Cluster",
            "versions": [version],
        },
    }


def _column(column: Column) -> dict[str, Any]:
    body = {"name": column.name, "type": column.type, "jsonPath": column.path, "description": column.about}
    return {**body, "priority": 1} if column.wide else body


def _document(kind: Kind) -> Schema:
    name = f"self.metadata.name.matches({json.dumps(NAME_PATTERN)}) && size(self.metadata.name) <= {NAME_LENGTH}"
    message = f"names have lower-case letters, digits and dashes inside, at most {NAME_LENGTH}"
    return {
        "type": "object",
        "description": f"{(kind.spec.__doc__ or kind.name).strip()} A projection of git: edits here are undone.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(kind.spec),
            "status": _status(),
        },
        CEL: [{"rule": name, "message": message}],
    }


def _status() -> Schema:
    """One condition of each type: managers that apply a status each own theirs."""
    schema = structural(Standing)
    schema["properties"]["conditions"] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return schema
