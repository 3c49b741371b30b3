"""Ownership: which fields of a live object are ours, by `managedFields` (Kubernetes: server-side apply, FieldsV1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from reconciler.model.manifests import MANAGER, Body

STRIPPED = frozenset(
    {"kubectl-client-side-apply", "kubectl-create", "kubectl-edit", "kubectl-patch", "kubectl-replace", "kubectl-set", "before-first-apply"}
)
"""Managers that are people's hands. What they left is drift; what other managers own is respected.

`kubectl annotate`, `label`, `scale` and `rollout` are not here: they are how people talk to controllers.
"""

Fields = Mapping[str, Any]
"""FieldsV1: `f:name` a field, `k:{...}` an element of a keyed list, `v:...` a set's value, `.` the thing itself."""


def fields_of(body: Body, manager: str = MANAGER) -> Fields | None:
    """What `manager` owns by apply, or None when it owns nothing."""
    for entry in body["metadata"].get("managedFields", ()):
        if entry["manager"] == manager and entry["operation"] == "Apply" and not entry.get("subresource"):
            fields: Fields = entry["fieldsV1"]
            return fields
    return None


def is_ours(body: Body) -> bool:
    """Whether we have applied this object: a label alone can be forged."""
    return fields_of(body) is not None


def strippable(body: Body) -> tuple[str, ...]:
    """People's tools that own fields of this object."""
    return tuple(
        entry["manager"]
        for entry in body["metadata"].get("managedFields", ())
        if entry["manager"] in STRIPPED and not entry.get("subresource")
    )


def managers_of(body: Body) -> tuple[str, ...]:
    """Everybody who owns fields of this object, for people to read."""
    return tuple(sorted({entry["manager"] for entry in body["metadata"].get("managedFields", ())}))


@lru_cache(maxsize=1024)
def keys_of(field: str) -> Mapping[str, Any]:
    """What tells an element of a keyed list, from its `k:{...}`. A fleet has few of them, each very often."""
    keys: Mapping[str, Any] = orjson.loads(field[2:])
    return keys


def element_of(elements: list[Any], keys: Mapping[str, Any]) -> int | None:
    """Where the element with these keys is."""
    for at, element in enumerate(elements):
        if isinstance(element, dict) and keys.items() <= element.items():
            return at
    return None


def owned_values(live: Any, fields: Fields) -> Any:
    """The part of a live value that the owner of `fields` owns: what drift is told by."""
    if not fields or fields.keys() == {"."}:
        return live
    if isinstance(live, dict):
        return {key: owned_values(live[key], child) for key, child in _named(fields) if key in live}
    if isinstance(live, list):
        keyed = [(keys_of(field), child) for field, child in fields.items() if field[:2] == "k:"]
        found = [(at, child) for keys, child in keyed if (at := element_of(live, keys)) is not None]
        return [owned_values(live[at], child) for at, child in found] if keyed else live
    return live


def _named(fields: Fields) -> Iterator[tuple[str, Fields]]:
    return ((field[2:], child) for field, child in fields.items() if field[:2] == "f:")


def owners(body: Body, path: str) -> frozenset[str]:
    """Everybody who owns the field at this JSON pointer, list elements named by their key as in `changes`."""
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]
    entries = body["metadata"].get("managedFields", ())
    return frozenset(entry["manager"] for entry in entries if _reaches(entry.get("fieldsV1", {}), tokens))


def _reaches(fields: Fields, tokens: list[str]) -> bool:
    for token in tokens:
        below = fields.get("f:" + token)
        if below is None:
            keyed = ((field, child) for field, child in fields.items() if field[:2] == "k:")
            below = next((child for field, child in keyed if token in map(str, keys_of(field).values())), None)
        if below is None:
            return False
        if not below:
            return True
        fields = below
    return True
