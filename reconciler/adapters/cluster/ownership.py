"""managedFields as the API server keeps them: handing entries over, and telling whether a write already stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.manifests import Body

_SERVERS = frozenset({"resourceVersion", "managedFields", "generation", "creationTimestamp"})


def handed_over(body: Body, managers: frozenset[str], to: str, subresource: str = "") -> list[dict[str, Any]]:
    """managedFields with the entries of these managers merged into the one that `to` applied (as client-go's `csaupgrade` does)."""
    entries = body["metadata"].get("managedFields", [])
    here = [e for e in entries if e.get("subresource", "") == subresource]
    ours = next((e for e in here if (e["manager"], e["operation"]) == (to, "Apply")), None)
    given = [e for e in here if e["manager"] in managers and e is not ours]
    if not given:
        return list(entries)
    first = ours or {**given[0], "manager": to, "operation": "Apply"}
    fields: dict[str, Any] = first["fieldsV1"]
    for entry in given:
        fields = union(fields, entry["fieldsV1"])
    rest = [e for e in entries if e is not ours and not any(e is g for g in given)]
    return [{**first, "fieldsV1": fields}, *rest]


def union(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Two trees of FieldsV1 as one. A leaf is owned itself: beside children it becomes their `.`."""
    if not left or not right:
        grown = left or right
        return {".": {}, **grown} if grown else {}
    return {
        name: union(left[name], right[name]) if name in left and name in right else left.get(name, right.get(name)) for name in left | right
    }


def stands(wanted: Any, live: Any) -> bool:
    """Whether all that was to be written is there; the server may have added to it."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return all(name in _SERVERS - {"managedFields"} or (name in live and stands(value, live[name])) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(stands(w, found) for w, found in zip(wanted, live, strict=True))
    return bool(wanted == live)


def same_state(live: Body, previewed: Body) -> bool:
    """Whether a preview changes nothing of a live object, its owners included (their times aside)."""
    return _comparable(live) == _comparable(previewed)


def _comparable(body: Body) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    metadata = {name: value for name, value in body["metadata"].items() if name not in _SERVERS}
    owners = [{name: value for name, value in e.items() if name != "time"} for e in body["metadata"].get("managedFields", ())]
    return {**body, "metadata": metadata}, owners
