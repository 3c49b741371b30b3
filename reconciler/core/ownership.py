"""Ownership: which fields of a live object are ours, by `managedFields` (Kubernetes: server-side apply, FieldsV1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from reconciler.model.manifests import MANAGER, REVISION_ANNOTATION, Body

STRIPPED = frozenset(
    {"kubectl-client-side-apply", "kubectl-create", "kubectl-edit", "kubectl-patch", "kubectl-replace", "kubectl-set", "before-first-apply"}
)
"""Managers that are people's hands. What they left is drift; what other managers own is respected.

`kubectl annotate`, `label`, `scale` and `rollout` are not here: they are how people talk to controllers.
"""

Fields = Mapping[str, Any]
"""FieldsV1: `f:name` a field, `k:{...}` an element of a keyed list, `v:...` a set's value, `.` the thing itself."""

_UNAPPLIED = frozenset({"apiVersion", "kind"})
_NAMING = frozenset({"name", "namespace", "uid", "resourceVersion"})
_REVISION = f"f:{REVISION_ANNOTATION}"


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


def is_as_desired(desired: Body, live: Body, fields: Fields) -> bool:
    """Whether we own exactly what is desired, and its live values are the desired ones, letter by letter.

    A `False` may still be equal to the server (a quantity spelt otherwise, a default in an atomic list): a dry-run decides.
    """
    for key, value in desired.items():
        if key == "metadata":
            if not _metadata_matches(value, live["metadata"], fields.get("f:metadata", {})):
                return False
        elif key not in _UNAPPLIED and not _field_matches(key, value, live, fields):
            return False
    return all(field[2:] in desired for field in fields if field != "f:metadata")


def _metadata_matches(desired: Mapping[str, Any], live: Mapping[str, Any], fields: Fields) -> bool:
    for key, value in desired.items():
        if key not in _NAMING and not _field_matches(key, value, live, fields, ignored=_REVISION):
            return False
    return all(field[2:] in desired for field in fields)


def _field_matches(key: str, value: Any, live: Mapping[str, Any], fields: Fields, ignored: str = "") -> bool:
    owned = fields.get("f:" + key)
    if owned is None or key not in live:
        return False
    return _matches(value, live[key], owned, ignored)


def _matches(desired: Any, live: Any, fields: Fields, ignored: str = "") -> bool:
    if not fields:  # a leaf, or a map or list that is owned as a whole
        return bool(desired == live)
    if isinstance(desired, dict):
        return isinstance(live, dict) and _map_matches(desired, live, fields, ignored)
    if isinstance(desired, list):
        return isinstance(live, list) and _list_matches(desired, live, fields)
    return bool(desired == live)


def _map_matches(desired: Mapping[str, Any], live: Mapping[str, Any], fields: Fields, ignored: str) -> bool:
    for key, value in desired.items():
        owned = fields.get("f:" + key)
        if owned is None or key not in live or not _matches(value, live[key], owned):
            return False
    return all(field == "." or field[2:] in desired or field == ignored for field in fields)


def _list_matches(desired: list[Any], live: list[Any], fields: Fields) -> bool:
    owned = [(orjson.loads(field[2:]), child) for field, child in fields.items() if field[:2] == "k:"]
    if len(owned) != len(desired):
        return len(fields) == len(desired) and all(field[:2] == "v:" for field in fields) and set(map(str, desired)) <= set(map(str, live))
    for keys, child in owned:
        mine, theirs = _element(desired, keys), _element(live, keys)
        if mine is None or theirs is None or not _map_matches(mine, theirs, child, ""):
            return False
    return True


def _element(elements: list[Any], keys: Mapping[str, Any]) -> dict[str, Any] | None:
    for element in elements:
        if isinstance(element, dict) and all(element.get(key) == value for key, value in keys.items()):
            return element
    return None


def owned_values(live: Any, fields: Fields) -> Any:
    """The part of a live value that the owner of `fields` owns: what drift is told by."""
    if not fields or fields.keys() == {"."}:
        return live
    if isinstance(live, dict):
        return {key: owned_values(live[key], child) for key, child in _named(fields) if key in live}
    if isinstance(live, list):
        keyed = [(orjson.loads(field[2:]), child) for field, child in fields.items() if field[:2] == "k:"]
        found = [(element, child) for keys, child in keyed if (element := _element(live, keys)) is not None]
        return [owned_values(element, child) for element, child in found] if keyed else live
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
            below = next((child for field, child in keyed if token in map(str, orjson.loads(field[2:]).values())), None)
        if below is None:
            return False
        if not below:
            return True
        fields = below
    return True
